"""Building a knowledge base from pictures, or from ready embeddings.

    source -> read -> known already? -> thumbnail, pixels -> batch -> CLIP -> store -> index

A picture that cannot be read is listed and skipped. Of equal pictures the first is stored and the others are listed,
those with another label as conflicts. A stopped build can be resumed.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Literal, Protocol, TypeVar, runtime_checkable

import numpy as np
from PIL import Image

from receiver.knowledge_base.index.settings import EngineSettings
from receiver.knowledge_base.ingest.pictures import UNREADABLE, prepare
from receiver.knowledge_base.ingest.staging import write_store
from receiver.knowledge_base.records import ItemRecord, Origin
from receiver.knowledge_base.store.writer import check_texts
from shared.datasets import Embedded, EmbeddingSource, Picture, PictureSource
from shared.errors import InvalidInput, Mismatch
from shared.types import Floats, Pixels, Progress

Given = TypeVar("Given", Picture, Embedded)
Duplicates = Literal["first", "all", "error"]
Taken = TypeVar("Taken")


class ClipIdentity(Protocol):
    """Which CLIP model made the embeddings, see `shared.clip`."""

    @property
    def name(self) -> str:
        """Of the model."""

    @property
    def fingerprint(self) -> str:
        """Of weights and preprocessing."""

    @property
    def dim(self) -> int:
        """Values in an embedding."""


@runtime_checkable
class ImageEncoder(ClipIdentity, Protocol):
    """The image half of a CLIP model."""

    def preprocess(self, image: Image.Image, /) -> Pixels:
        """Return [S, S, 3], uint8."""

    def embed_images(self, pixels: Pixels, /) -> Floats:
        """[B, S, S, 3], uint8 -> [B, dim], float32, unit length."""


class _Twice(InvalidInput):
    """A picture that is there twice, where that was not allowed."""


@dataclass
class BuildReport:
    """What a build did.

    items, labels: stored, labels counted once
    seconds: of wall clock
    skipped: (id, why) of items that could not be read
    duplicates: (id, id of the equal picture that came first)
    conflicts: (id, its label, id of the equal picture, that one's label), for duplicates whose labels differ
    resumed: items that a stopped build had stored before
    """

    items: int = 0
    labels: int = 0
    seconds: float = 0.0
    skipped: list[tuple[str, str]] = field(default_factory=list)
    duplicates: list[tuple[str, str]] = field(default_factory=list)
    conflicts: list[tuple[str, str, str, str]] = field(default_factory=list)
    resumed: int = 0


class _Sieve:
    """Passes each readable item and reports the others. stored: content digests by id. copy: keep the files.

    duplicates: what becomes of a picture that is there already, see `build_knowledge_base`
    """

    def __init__(self, stored: dict[str, bytes], copy: bool, duplicates: Duplicates = "first") -> None:
        self.report = BuildReport()
        self.ids: set[str] = set()
        self.labels: set[str] = set()
        self._stored, self._copy, self._duplicates = stored, copy, duplicates
        self._label_of: dict[str, str] = {}
        self._by_content = {content: item_id for item_id, content in stored.items() if content}

    def pictures(self, source: Iterable[Picture], clip: ImageEncoder) -> Iterator[tuple[Pixels, ItemRecord]]:
        """Yield what is to be embedded. Raises InvalidInput for an id that comes twice."""
        for picture in self._new(source):
            try:
                check_texts(picture.id, picture.label, picture.caption)
                image, item = prepare(picture, copy=self._copy)
                if self._passes(item):
                    self.labels.add(item.label)
                    yield clip.preprocess(image), item
            except _Twice:
                raise
            except UNREADABLE as error:
                self.report.skipped.append((picture.id, str(error) or type(error).__name__))

    def _passes(self, item: ItemRecord) -> bool:
        """Whether an item is stored; an equal picture is reported, and so is one with another label."""
        first = self._by_content.setdefault(item.content, item.item_id)
        if first == item.item_id:
            return True
        other = self._label_of[first]
        if self._duplicates == "error":
            labels = "" if other == item.label else f", with the labels {other!r} and {item.label!r}"
            raise _Twice(
                f"{item.item_id!r} is the same picture as {first!r}{labels}; remove one, or build with "
                "--duplicates first or --duplicates all"
            )
        if other != item.label:
            self.report.conflicts.append((item.item_id, item.label, first, other))
        self.report.duplicates.append((item.item_id, first))
        return self._duplicates == "all"

    def embedded(self, source: Iterable[Embedded]) -> Iterator[ItemRecord]:
        """Yield ready embeddings that are not stored yet. Raises InvalidInput for an id that comes twice."""
        for item in self._new(source):
            length = float(np.linalg.norm(item.embedding.astype(np.float64)))
            if not 0 < length < np.inf:
                self.report.skipped.append((item.id, f"its embedding has length {length:g}; a finite one is needed"))
                continue
            self.labels.add(item.label)
            yield ItemRecord(item.id, item.label, item.embedding, item.caption)

    def _new(self, source: Iterable[Given]) -> Iterator[Given]:
        for item in source:
            if item.id in self.ids:
                raise InvalidInput(f"the id {item.id!r} comes twice; give each item an id of its own")
            self.ids.add(item.id)
            self._label_of[item.id] = item.label
            if item.id in self._stored:
                self.report.resumed += 1
                self.labels.add(item.label)
            else:
                yield item


def build_knowledge_base(
    source: PictureSource | EmbeddingSource,
    directory: str | Path,
    clip: ImageEncoder | ClipIdentity,
    batch_size: int = 64,
    on_progress: Progress | None = None,
    *,
    settings: EngineSettings | None = None,
    copy: bool = False,
    resume: bool = True,
    duplicates: Duplicates = "first",
) -> BuildReport:
    """Build a knowledge base in a directory; the old one stays in use until the build is complete.

    clip: the model that embeds the pictures, or that made the ready embeddings
    batch_size: pictures that CLIP embeds together
    on_progress: called with (items seen, items in all) after each batch
    settings: which index engine
    copy: keep the pictures' files in the store
    resume: continue a stopped build from this source
    duplicates: of equal pictures, store the first or all, or raise InvalidInput
    Raises InvalidInput for a source without a readable picture or with an id that comes twice, Unavailable when another
    process writes there, Exhausted when the disk is full.
    """
    started = time.monotonic()
    if batch_size < 1:
        raise InvalidInput(f"batch_size = {batch_size}; embed at least 1 picture at a time")
    name = source.name if source.split is None else f"{source.name}/{source.split}"
    total = len(source)
    origin = Origin(name, clip.name, clip.fingerprint, clip.dim, copy)
    with write_store(Path(directory), origin, settings, resume=resume) as staged:
        sieve = _Sieve(staged.contents(), copy, duplicates)
        for batch in _records(source, sieve, clip, batch_size):
            for item in batch:
                staged.add(**vars(item))
            staged.flush()
            if on_progress is not None:
                on_progress(len(sieve.ids), total)
        if not staged.items:
            raise InvalidInput(_nothing(name, sieve))
        items = staged.items
    return replace(sieve.report, items=items, labels=len(sieve.labels), seconds=time.monotonic() - started)


def _records(
    source: PictureSource | EmbeddingSource, sieve: _Sieve, clip: ImageEncoder | ClipIdentity, batch_size: int
) -> Iterator[list[ItemRecord]]:
    """A source's new items in batches."""
    if isinstance(source, EmbeddingSource):
        if source.dim != clip.dim:
            raise Mismatch(
                f"the embeddings of {source.name!r} have {source.dim} values and those of {clip.name!r} have "
                f"{clip.dim}; name the CLIP that made them with --clip"
            )
        yield from _batches(sieve.embedded(source), batch_size)
        return
    assert isinstance(clip, ImageEncoder), "pictures are embedded by a CLIP that is loaded"
    for batch in _batches(sieve.pictures(source, clip), batch_size):
        embeddings = clip.embed_images(np.stack([pixels for pixels, _ in batch]))
        yield [replace(item, embedding=one) for (_, item), one in zip(batch, embeddings, strict=True)]


def _batches(items: Iterator[Taken], size: int) -> Iterator[list[Taken]]:
    while batch := list(islice(items, size)):
        yield batch


def _nothing(source: str, sieve: _Sieve) -> str:
    if not sieve.report.skipped:
        return f"the source {source!r} is empty; a knowledge base needs at least one picture"
    item_id, why = sieve.report.skipped[0]
    return f"none of the {len(sieve.ids)} pictures of {source!r} can be read; the first: {item_id!r}: {why}"
