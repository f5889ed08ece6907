"""What a collection gives: pictures, or embeddings that are ready."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from shared.datasets.decoding import MAX_BYTES, decode_picture
from shared.errors import InvalidPicture
from shared.files import read_regular
from shared.types import Floats


@dataclass(frozen=True)
class Picture:
    """One labelled picture, decoded when asked.

    id: unique in its source. label: its category; empty where there is none
    content: a file that holds it, the bytes of one, or its pixels [H, W, 3], uint8, RGB
    caption: what it shows, in words; empty where there is none
    inside: the folder that the file must lie in once links are followed; None for any
    """

    id: str
    label: str
    content: Path | bytes | npt.NDArray[np.uint8]
    caption: str = ""
    inside: Path | None = None

    @property
    def has_file(self) -> bool:
        """Whether it comes as an image file, not as pixels."""
        return not isinstance(self.content, np.ndarray)

    def image(self) -> Image.Image:
        """The picture in RGB; `InvalidPicture` names a file that cannot be read."""
        if isinstance(self.content, np.ndarray):
            return Image.fromarray(self.content)
        return self.decode(self.encoded())

    def decode(self, file: bytes) -> Image.Image:
        """The picture in RGB from its file's bytes, which `encoded` gave."""
        try:
            return decode_picture(file).image
        except InvalidPicture as error:
            where = self.content if isinstance(self.content, Path) else self.id
            raise InvalidPicture(f"{where}: {error}") from error

    def encoded(self) -> bytes:
        """The bytes of an image file: the file's own, or a PNG."""
        if isinstance(self.content, bytes):
            return self.content
        if isinstance(self.content, np.ndarray):
            buffer = io.BytesIO()
            Image.fromarray(self.content).save(buffer, format="PNG")
            return buffer.getvalue()
        try:
            self._require_inside(self.content)
            return read_regular(self.content, MAX_BYTES)
        except OSError as error:
            raise InvalidPicture(f"{self.content} cannot be read: {error.strerror}.") from error
        except ValueError as error:  # no file has such a name
            raise InvalidPicture(f"{str(self.content)!r} cannot be read: {error}.") from error

    def _require_inside(self, path: Path) -> None:
        if self.inside is None:
            return
        real = path.resolve()
        if not real.is_relative_to(self.inside.resolve()):
            raise InvalidPicture(
                f"{path} leads out of {self.inside}, to {real}: --follow-links follows the links of a "
                "folder, --anywhere takes the paths of a table"
            )


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


@dataclass(frozen=True)
class Embedded:
    """One item whose embedding is ready. embedding: [dim], float. The texts as in `Picture`."""

    id: str
    label: str
    embedding: Floats
    caption: str = ""


@dataclass(eq=False)
class EmbeddingSource:
    """A collection of ready embeddings.

    embeddings: [N, dim], float; may be mapped from a file. ids, item_labels, captions: N texts, or no captions
    clip, clip_fingerprint: of the CLIP that made them; empty where the file does not say. splits: N texts, the part
    that each row belongs to, or none
    """

    split = None

    name: str
    embeddings: Floats
    ids: Sequence[str]
    item_labels: Sequence[str]
    captions: Sequence[str] = ()
    clip: str = ""
    clip_fingerprint: str = ""
    splits: Sequence[str] = ()

    @property
    def dim(self) -> int:
        """Values in an embedding."""
        return int(self.embeddings.shape[1])

    @property
    def labels(self) -> tuple[str, ...]:
        """The distinct labels."""
        return tuple(sorted(set(map(str, self.item_labels))))

    def __len__(self) -> int:
        return len(self.embeddings)

    def __iter__(self) -> Iterator[Embedded]:
        for row, embedding in enumerate(self.embeddings):
            caption = str(self.captions[row]) if len(self.captions) else ""
            yield Embedded(str(self.ids[row]), str(self.item_labels[row]), np.asarray(embedding), caption)
