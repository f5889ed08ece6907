"""One face for every collection of pictures: the drawn set, CIFAR-100, a folder."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from shared.datasets import cifar100, drawn
from shared.datasets.folder import list_pictures
from shared.errors import InvalidPicture, InvalidSetting, NotFound
from shared.pictures import decode_picture

DEFAULT_SPLIT = "kb"

_CHUNK = 100  # drawn pictures made together


@dataclass(frozen=True)
class Picture:
    """One labelled picture, decoded when asked.

    id: unique in its source. label: its category; empty where there is none
    content: a file that holds it, or its pixels [H, W, 3], uint8, RGB
    """

    id: str
    label: str
    content: Path | npt.NDArray[np.uint8]

    def image(self) -> Image.Image:
        """The picture in RGB; `InvalidPicture` names a file that cannot be read."""
        if not isinstance(self.content, Path):
            return Image.fromarray(self.content)
        try:
            return decode_picture(self.encoded()).image
        except InvalidPicture as error:
            raise InvalidPicture(f"{self.content}: {error}") from error

    def encoded(self) -> bytes:
        """The bytes of an image file: the file's own, or a PNG."""
        if not isinstance(self.content, Path):
            buffer = io.BytesIO()
            Image.fromarray(self.content).save(buffer, format="PNG")
            return buffer.getvalue()
        try:
            return self.content.read_bytes()
        except OSError as error:
            raise InvalidPicture(f"{self.content} cannot be read: {error.strerror}.") from error


class PictureSource(Protocol):
    """A collection that can be walked again and again, always in the same order."""

    @property
    def name(self) -> str:
        """What the source is called, for reports."""

    @property
    def split(self) -> str | None:
        """Which part of it this is; None where it has no parts."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The distinct labels."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Picture]: ...


class DrawnSource:
    """The drawn set: pictures are drawn while one walks over it."""

    name = "drawn"
    labels = drawn.CATEGORIES

    def __init__(self, split: str, seed: int = drawn.SEED) -> None:
        self.split = split
        self._length = drawn.split_length(split)
        self._seed = seed

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Picture]:
        for start in range(0, self._length, _CHUNK):
            indices = range(start, min(start + _CHUNK, self._length))
            pictures, categories = drawn.draw_batch(self.split, indices, self._seed)
            for index, picture, category in zip(indices, pictures, categories, strict=True):
                yield Picture(f"drawn/{self.split}/{index:05d}", self.labels[category], picture)


class Cifar100Source:
    """One split of CIFAR-100, in memory."""

    name = "cifar100"

    def __init__(self, folder: str | Path, split: str) -> None:
        self.split = split
        self._part = cifar100.read_cifar100(folder, split)
        self.labels = self._part.names
        self._file = "train" if split == "train" else "test"

    def __len__(self) -> int:
        return len(self._part.pixels)

    def __iter__(self) -> Iterator[Picture]:
        part = self._part
        for position, target, pixels in zip(part.positions, part.targets, part.pixels, strict=True):
            yield Picture(f"cifar100/{self._file}/{position:05d}", self.labels[target], pixels)


class FolderSource:
    """A folder of pictures, one sub-folder for each label. Files are read while one walks over it."""

    def __init__(self, folder: Path, split: str | None = None) -> None:
        self.name = folder.name
        self.split = split
        self._root = folder if split is None else folder / split
        self._files = list_pictures(self._root)
        self.labels = tuple(sorted({label for label, _ in self._files}))

    def __len__(self) -> int:
        return len(self._files)

    def __iter__(self) -> Iterator[Picture]:
        for label, path in self._files:
            yield Picture(path.relative_to(self._root).as_posix(), label, path)


def open_source(spec: str, split: str | None = None, download: bool = False) -> PictureSource:
    """Open a collection of pictures.

    spec: `drawn`, `cifar100:DIR`, or a folder (CIFAR-100 in its official lay-out, or pictures)
    split: part of it; None for `kb`, or for the whole of a folder of pictures
    download: let `cifar100:DIR` fetch the official archive into DIR if it is not there
    """
    if spec == "drawn":
        return DrawnSource(split or DEFAULT_SPLIT)
    kind, colon, rest = spec.partition(":")
    if colon and kind == "cifar100":
        return Cifar100Source(cifar100.download_cifar100(rest) if download else rest, split or DEFAULT_SPLIT)
    folder = Path(spec).expanduser()
    if not folder.is_dir():
        raise NotFound(f"There is no picture source {spec!r}; type drawn, cifar100:DIR, or the path of a folder.")
    if cifar100.is_cifar100(folder):
        return Cifar100Source(folder, split or DEFAULT_SPLIT)
    if split is not None and not (folder / split).is_dir():
        raise InvalidSetting(f"The folder {spec!r} has no part {split!r}; leave the split out, or name a sub-folder.")
    return FolderSource(folder, split)
