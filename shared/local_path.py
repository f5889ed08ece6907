"""Paths as users type them. An address on the web is refused with its own text, since nothing here downloads it."""

import re
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from shared.errors import InvalidInput

_SCHEME: Final = re.compile(r"([a-z][a-z0-9+.-]+):/(/?)", re.IGNORECASE)  # `Path` makes one slash of two


def local_path(text: str | Path) -> Path:
    """The path that `text` means: ~ is the home folder, file:// is taken off.

    Raises InvalidInput for an address such as https:// or s3://, with what to type instead, and for no text, which
    would be the folder that this process is in.
    """
    if text == "":
        raise InvalidInput("an empty path: a variable of the shell that is not set? The current folder is .")
    scheme = _SCHEME.match(str(text))
    if scheme is None or len(scheme[1]) == 1:  # C:/ is a drive
        return _expanded(Path(text))
    address = f"{scheme[1]}://{str(text)[scheme.end() :]}"
    if scheme[1].lower() == "file":
        return Path(unquote(urlsplit(address).path))
    raise InvalidInput(
        f"{address} is an address on the network, and SemLink opens files of this machine alone; fetch it first, "
        f"for example with `curl -LO {address}`"
    )


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError as error:  # nobody's home
        raise InvalidInput(f"{path}: ~ cannot be resolved, HOME is not set; give the path from /") from error
