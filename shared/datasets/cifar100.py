"""CIFAR-100 (Krizhevsky, 2009) read from the official lay-out: the files `train`, `test` and `meta` in one folder.

The files are pickles. They are read by an unpickler that builds numpy arrays, containers and text, and nothing else.
"""

import hashlib
import io
import pickle
import tarfile
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from shared.errors import DataLoss, InvalidSetting, NotFound
from shared.files import readable, require_regular
from shared.types import Ints

URL = "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz"
MD5 = "eb9058c3a382ffc7106e4002c42a8d85"
FOLDER = "cifar-100-python"
SPLITS = ("train", "test", "kb", "query")

_FILES = ("train", "test", "meta")
_AGAIN = "unpack the official archive again"
_MOST_BYTES = 1 << 30
_PER_CLASS = 50  # of the 100 test pictures of a class, the first half asks and the last half is the knowledge base
_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
}


@dataclass(frozen=True)
class Cifar100:
    """Some pictures of CIFAR-100.

    pixels: [N, 32, 32, 3], uint8, RGB
    targets: [N], int64, positions in `names`
    positions: [N], int64, where in its file each picture stands
    names: the 100 class names, "aquarium fish" first after "apple"
    """

    pixels: npt.NDArray[np.uint8]
    targets: Ints
    positions: Ints
    names: tuple[str, ...]


class _Unpickler(pickle.Unpickler):
    """Refuses every callable that CIFAR's files do not need."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return super().find_class(module, name)


def read_cifar100(folder: str | Path, split: str) -> Cifar100:
    """Read one split: `train`, `test`, or of the test part `query` (first 50 of a class) and `kb` (last 50)."""
    if split not in SPLITS:
        raise InvalidSetting(f"CIFAR-100 has no split {split!r}; choose one of {', '.join(SPLITS)}.")
    root = find_cifar100(folder)
    with readable(f"{root / 'meta'} names no classes", DataLoss, _AGAIN):
        found = _read(root / "meta")["fine_label_names"]
        names = tuple(str(name.decode() if isinstance(name, bytes) else name).replace("_", " ") for name in found)
    file = root / ("train" if split == "train" else "test")
    pixels, targets = _arrays(_read(file), file)
    if len(pixels) != len(targets) or (len(targets) and not 0 <= targets.min() <= targets.max() < len(names)):
        raise DataLoss(f"{file} has {len(pixels)} pictures and {len(targets)} labels of {len(names)} classes; {_AGAIN}")
    positions = _positions(targets, split)
    return Cifar100(pixels[positions], targets[positions], positions, names)


def is_cifar100(folder: str | Path) -> bool:
    """Whether the folder, or `cifar-100-python` in it, holds the three files."""
    return _root(Path(folder)) is not None


def find_cifar100(folder: str | Path) -> Path:
    """The folder that holds the three files: this one, or `cifar-100-python` in it."""
    root = _root(Path(folder))
    if root is None:
        raise NotFound(
            f"No CIFAR-100 in {str(folder)!r}: it needs the files {', '.join(_FILES)}. "
            f"Unpack {URL} there, or ask for the download."
        )
    return root


def download_cifar100(folder: str | Path) -> Path:
    """Fetch, check and unpack the official archive (169 MB) into the folder; nothing to do where it already is."""
    folder = Path(folder)
    if is_cifar100(folder):
        return find_cifar100(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with urllib.request.urlopen(URL, timeout=60) as answer:
        data: bytes = answer.read()
    unpack_archive(data, folder)
    return find_cifar100(folder)


def unpack_archive(data: bytes, folder: Path, md5: str = MD5) -> None:
    """Check an archive's digest and unpack it; members that would leave the folder are refused."""
    digest = hashlib.md5(data, usedforsecurity=False).hexdigest()
    if digest != md5:
        raise DataLoss(f"The CIFAR-100 archive has md5 {digest}, not {md5}; download it again.")
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        archive.extractall(folder, filter="data")


def _root(folder: Path) -> Path | None:
    for root in (folder, folder / FOLDER):
        if all((root / name).is_file() for name in _FILES):
            return root
    return None


def _read(path: Path) -> dict[str, Any]:
    """A pickled dictionary with text keys, whether Python 2 or 3 wrote it."""
    with readable(f"{path} is no file of CIFAR-100", DataLoss, _AGAIN):
        require_regular(path, _MOST_BYTES)
        with path.open("rb") as file:
            content = _Unpickler(file, encoding="bytes").load()
        return {key.decode() if isinstance(key, bytes) else key: value for key, value in content.items()}


def _arrays(content: dict[str, Any], file: Path) -> tuple[npt.NDArray[np.uint8], Ints]:
    with readable(f"{file} has not CIFAR-100's arrays", DataLoss, _AGAIN):
        planes = np.asarray(content["data"], dtype=np.uint8).reshape(-1, 3, 32, 32)
        targets = np.asarray(content["fine_labels"], dtype=np.int64).reshape(-1)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), targets


def _positions(targets: Ints, split: str) -> Ints:
    """Positions of the split's pictures in their file, in the file's order."""
    if split not in ("kb", "query"):
        return np.arange(len(targets))
    rank = np.empty(len(targets), dtype=np.int64)  # which picture of its class each one is
    for target in np.unique(targets):
        members = np.flatnonzero(targets == target)
        rank[members] = np.arange(len(members))
    return np.flatnonzero(rank < _PER_CLASS if split == "query" else rank >= _PER_CLASS)
