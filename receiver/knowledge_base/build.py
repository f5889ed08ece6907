"""Building a knowledge base from pictures.

    source -> read -> known already? -> thumbnail, pixels -> batch -> CLIP -> store -> index

A picture that cannot be read is listed and skipped. Of equal pictures the first is stored and the others are listed.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from receiver.knowledge_base.records import Floats, Origin
from receiver.knowledge_base.thumbnail import content_digest, make_thumbnail
from receiver.knowledge_base.writer import StoreWriter, check_text, write_store
from shared.datasets import Picture, PictureSource
from shared.errors import Exhausted, InvalidInput

Pixels = npt.NDArray[np.uint8]

# What one picture can do to its reader without the others being concerned.
_UNREADABLE = (InvalidInput, Exhausted, OSError, ValueError)


class ImageEncoder(Protocol):
    """The image half of a CLIP model, see `shared.clip`."""

    @property
    def name(self) -> str:
        """Of the model."""

    @property
    def fingerprint(self) -> str:
        """Of weights and preprocessing."""

    @property
    def dim(self) -> int:
        """Values in an embedding."""

    def preprocess(self, image: Image.Image, /) -> Pixels:
        """Return [S, S, 3], uint8."""

    def embed_images(self, pixels: Pixels, /) -> Floats:
        """[B, S, S, 3], uint8 -> [B, dim], float32, unit length."""


@dataclass(frozen=True)
class BuildReport:
    """What a build did.

    items, labels: stored, labels counted once
    seconds: of wall clock
    skipped: (id, why) of pictures that could not be read
    duplicates: (id, id of the equal picture that was stored)
    """

    items: int
    labels: int
    seconds: float
    skipped: list[tuple[str, str]]
    duplicates: list[tuple[str, str]]


@dataclass(frozen=True)
class _Prepared:
    item_id: str
    label: str
    content: bytes
    thumbnail: bytes
    pixels: Pixels


@dataclass
class _Sieve:
    """Lets each readable picture through once and keeps account of the rest."""

    encoder: ImageEncoder
    seen: int = 0
    labels: set[str] = field(default_factory=set)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    duplicates: list[tuple[str, str]] = field(default_factory=list)
    _ids: set[str] = field(default_factory=set)
    _stored: dict[bytes, str] = field(default_factory=dict)

    def pass_through(self, source: Iterable[Picture]) -> Iterator[_Prepared]:
        """Yield what is to be embedded. Raises InvalidInput for an id that comes twice."""
        for picture in source:
            self.seen += 1
            if picture.id in self._ids:
                raise InvalidInput(f"the id {picture.id!r} comes twice; give each picture an id of its own")
            self._ids.add(picture.id)
            try:
                prepared = self._prepare(picture)
            except _UNREADABLE as error:
                self.skipped.append((picture.id, str(error) or type(error).__name__))
                continue
            if prepared is not None:
                yield prepared

    def _prepare(self, picture: Picture) -> _Prepared | None:
        """Read one picture; None for one that is stored already."""
        check_text("id", picture.id)
        check_text("label", picture.label, empty=True)
        image = picture.image()
        content = content_digest(image)
        if content in self._stored:
            self.duplicates.append((picture.id, self._stored[content]))
            return None
        thumbnail, pixels = make_thumbnail(image), self.encoder.preprocess(image)
        self._stored[content] = picture.id
        self.labels.add(picture.label)
        return _Prepared(picture.id, picture.label, content, thumbnail, pixels)


def build_knowledge_base(
    source: PictureSource,
    directory: str | Path,
    clip: ImageEncoder,
    batch_size: int = 64,
    on_progress: Callable[[int, int], None] | None = None,
) -> BuildReport:
    """Build a knowledge base in a directory; until the end, and after a crash, what was there before stays.

    batch_size: pictures that CLIP embeds together
    on_progress: called with (pictures seen, pictures in all) after each batch
    Raises InvalidInput for a source without a readable picture or with an id that comes twice, Unavailable when another
    process builds there, Exhausted when the disk is full.
    """
    started = time.monotonic()
    sieve = _Sieve(clip)
    origin = Origin(_source_name(source), clip.name, clip.fingerprint, clip.dim)
    with write_store(Path(directory), origin) as writer:
        for batch in _batches(sieve.pass_through(source), batch_size):
            _embed_and_add(batch, clip, writer)
            if on_progress is not None:
                on_progress(sieve.seen, len(source))
        if not writer.items:
            raise InvalidInput(_nothing(origin.source, sieve))
        items = writer.items
    seconds = time.monotonic() - started
    return BuildReport(items, len(sieve.labels), seconds, sieve.skipped, sieve.duplicates)


def _batches(pictures: Iterator[_Prepared], size: int) -> Iterator[list[_Prepared]]:
    if size < 1:
        raise InvalidInput(f"batch_size = {size}; embed at least 1 picture at a time")
    while batch := list(islice(pictures, size)):
        yield batch


def _embed_and_add(batch: list[_Prepared], clip: ImageEncoder, writer: StoreWriter) -> None:
    embeddings = clip.embed_images(np.stack([prepared.pixels for prepared in batch]))
    for prepared, embedding in zip(batch, embeddings, strict=True):
        writer.add(prepared.item_id, prepared.label, embedding, thumbnail=prepared.thumbnail, content=prepared.content)


def _source_name(source: PictureSource) -> str:
    return source.name if source.split is None else f"{source.name}/{source.split}"


def _nothing(source: str, sieve: _Sieve) -> str:
    if not sieve.skipped:
        return f"the source {source!r} is empty; a knowledge base needs at least one picture"
    item_id, why = sieve.skipped[0]
    return f"none of the {sieve.seen} pictures of {source!r} can be read; the first: {item_id!r}: {why}"
