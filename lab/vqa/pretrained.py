"""Pretrained networks from a folder or the local cache; downloaded only when that is asked for."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from shared.errors import NotFound
from shared.printable import first_line


def require_transformers() -> None:
    """Raise NotFound, with the command that installs it, if transformers is missing."""
    if find_spec("transformers") is None:
        raise NotFound("transformers is not installed: pip install 'semlink[lab,vqa]'")


def pretrained(load: Callable[..., Any], name: str, *, download: bool, **options: Any) -> Any:
    """What `load`, a `from_pretrained`, gives for a name or a folder. Raises NotFound for what is not here."""
    if ("/" in name or name.startswith(".")) and name.count("/") != 1 and not Path(name).is_dir():
        raise NotFound(
            f"there is no folder {name!r}: name a folder with a saved network, or a name such as OWNER/NETWORK"
        )
    try:
        return load(name, local_files_only=not download, **options)
    except (OSError, ValueError) as error:
        remedy = "" if download else "; --download fetches what is not in the cache"
        raise NotFound(f"{name} cannot be loaded by transformers: {first_line(error)}{remedy}") from error
