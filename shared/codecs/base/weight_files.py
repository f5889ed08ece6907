"""Weight files of codecs: where they are, and what they hold.

User-supplied weights, for another CLIP model or of another training, are in a folder with one sub-folder for each
codec, as in assets. It is searched first.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from safetensors import SafetensorError, safe_open

from shared.codecs.base.contract import fingerprint_of
from shared.errors import DataLoss, NotFound
from shared.types import Floats

if TYPE_CHECKING:
    from torch import Tensor

WEIGHTS_DIR: Final = "SEMLINK_WEIGHTS_DIR"
"""Environment variable that names the folder; processes that this one starts see it too."""


def use_weights_dir(folder: Path | None) -> None:
    """Search a folder for weights before the shipped ones. None keeps the folder of the environment.

    Raises NotFound if there is no such folder.
    """
    if folder is not None:
        os.environ[WEIGHTS_DIR] = str(_checked(folder).resolve())


def weights_path(codec: str, file: str, command: str | None = None) -> Path:
    """Path of `file` of a codec's weights: in the folder of `WEIGHTS_DIR`, else in assets.

    command: makes the file, `semlink train CODEC` by default. Raises NotFound if it is in neither.
    """
    places = weights_places(codec, file)
    found = next((path for path in places if path.exists()), None)
    if found is None:
        expected = " or ".join(map(str, places))
        raise NotFound(
            f"no weights of codec {codec}: run `{command or f'semlink train {codec}'}`, expected in {expected}"
        )
    return found


def weights_places(codec: str, file: str) -> list[Path]:
    """Where `file` of a codec's weights may be, in the order of the search. Raises NotFound without the own folder."""
    own = os.environ.get(WEIGHTS_DIR)
    folders = ([_checked(Path(own))] if own else []) + [Path(str(files("assets")))]
    return [folder / codec / file for folder in folders]


def read_weights(path: Path, codec: str) -> "tuple[dict[str, Tensor], dict[str, str]]":
    """The same as `read_arrays`, as torch's tensors."""
    import torch  # noqa: PLC0415 - a light installation has none

    arrays, metadata = read_arrays(path, codec)
    return {name: torch.from_numpy(array) for name, array in arrays.items()}, metadata


def read_arrays(path: Path, codec: str) -> tuple[dict[str, Floats], dict[str, str]]:
    """Arrays by name, as float32, and metadata of a safetensors file. Raises DataLoss for anything else.

    The lengths of a codec that are loaded in a row share the arrays of their file, so nobody modifies them.
    """
    try:
        modified_ns = path.stat().st_mtime_ns
    except OSError:
        modified_ns = 0  # reading it tells why
    return _read_arrays(path, modified_ns, codec)


@lru_cache(maxsize=1)
def _read_arrays(path: Path, _modified_ns: int, codec: str) -> tuple[dict[str, Floats], dict[str, str]]:
    with holding_weights(path, codec), safe_open(path, framework="np") as file:
        metadata = file.metadata() or {}
        arrays = {key: np.asarray(file.get_tensor(key), np.float32) for key in file.keys()}  # noqa: SIM118 - not a dict
        if not all(np.isfinite(array).all() for array in arrays.values()):
            raise ValueError("there is a NaN or an infinity among them")
    return arrays, metadata


@contextmanager
def holding_weights(path: Path, codec: str) -> Iterator[None]:
    """Raise DataLoss that names `path` when the block finds that it does not hold the weights of the codec."""
    try:
        yield
    except (OSError, KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else error
        raise DataLoss(f"{path} holds no weights of codec {codec}: {reason}") from error


def fingerprint_of_weights(arrays: "Mapping[str, Floats] | Mapping[str, Tensor]", *parts: str) -> str:
    """Fingerprint of named arrays or tensors, in the order of their names, and of strings that belong to them."""
    raw = {
        name: (array if isinstance(array, np.ndarray) else array.cpu().numpy()).tobytes()
        for name, array in arrays.items()
    }
    pieces = [piece for name in sorted(raw) for piece in (name.encode(), raw[name])]
    return fingerprint_of([*(part.encode() for part in parts), *pieces])


def write_rows(path: Path, tables: Mapping[str, Mapping[Any, Any]]) -> None:
    """Write JSON: name -> name -> row, one line for each row."""
    blocks = (
        f'  "{name}": {{\n' + ",\n".join(f'    "{key}": {json.dumps(row)}' for key, row in table.items()) + "\n  }"
        for name, table in tables.items()
    )
    path.write_text("{\n" + ",\n".join(blocks) + "\n}\n", encoding="utf-8")


def _checked(folder: Path) -> Path:
    if not folder.is_dir():
        raise NotFound(f"there is no folder of weights {str(folder)!r}: train some with `semlink train CODEC --out`")
    return folder
