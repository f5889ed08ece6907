"""Finds the weights of codecs.

Weights of your own, for another CLIP or of another training, lie in a folder with one sub-folder for each codec, as in
assets. They are looked for there first.
"""

import os
from importlib.resources import files
from pathlib import Path
from typing import Final

from shared.errors import NotFound

WEIGHTS_DIR: Final = "SEMLINK_WEIGHTS_DIR"
"""Environment variable that names the folder; processes that this one starts see it too."""


def use_weights_dir(folder: Path | None) -> None:
    """Look for weights in a folder before those that ship. None leaves it at what the environment says.

    Raises NotFound where there is no such folder.
    """
    if folder is not None:
        os.environ[WEIGHTS_DIR] = str(_checked(folder).resolve())


def weights_path(codec: str, file: str, command: str | None = None) -> Path:
    """Where `file` of a codec's weights is: in the folder of `WEIGHTS_DIR`, else in assets.

    command: what makes it, `semlink train CODEC` by default. Raises NotFound where it is in neither.
    """
    own = os.environ.get(WEIGHTS_DIR)
    folders = ([_checked(Path(own))] if own else []) + [Path(str(files("assets")))]
    places = [folder / codec / file for folder in folders]
    found = next((path for path in places if path.exists()), None)
    if found is None:
        expected = " or ".join(map(str, places))
        raise NotFound(
            f"no weights of codec {codec}: run `{command or f'semlink train {codec}'}`, expected in {expected}"
        )
    return found


def _checked(folder: Path) -> Path:
    if not folder.is_dir():
        raise NotFound(f"there is no folder of weights {str(folder)!r}: train some with `semlink train CODEC --out`")
    return folder
