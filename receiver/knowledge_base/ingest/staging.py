"""Writes a new store beside the current one, which it replaces once it is complete.

building -> store-XXXX.sqlite: batch, batch, ... -> index -> current -> the old one is removed
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from receiver.knowledge_base.index.settings import EngineSettings
from receiver.knowledge_base.load import index_store
from receiver.knowledge_base.records import ItemRecord, Origin
from receiver.knowledge_base.store.layout import Layout
from receiver.knowledge_base.store.lock import WriterLock
from receiver.knowledge_base.store.writer import StoreWriter, create_store
from shared.errors import InvalidInput, SemLinkError
from shared.files import fsync
from shared.types import Floats

_BATCH_ITEMS = 512


class StagedStore:
    """A store that is being written; it has no readers yet. Made by `write_store`."""

    def __init__(self, path: Path) -> None:
        self._writer = StoreWriter(path, durable=False)  # what a power cut loses is built again
        self._waiting: list[ItemRecord] = []

    @property
    def items(self) -> int:
        """How many it holds."""
        return self._writer.head.items + len(self._waiting)

    def add(self, item_id: str, label: str, embedding: Floats, **fields: Any) -> None:
        """Add one item; fields as in `ItemRecord`.

        Raises InvalidInput, here or at the next `flush`, for an id that is there already, a text that cannot be stored
        or an embedding without direction; Exhausted when the disk is full.
        """
        self._waiting.append(ItemRecord(item_id, label, embedding, **fields))
        if len(self._waiting) >= _BATCH_ITEMS:
            self.flush()

    def flush(self) -> None:
        """Write what was added; a killed build is resumed from here."""
        waiting, self._waiting = self._waiting, []
        for outcome in self._writer.add(waiting) if waiting else ():
            if isinstance(outcome, InvalidInput):
                raise outcome

    def contents(self) -> dict[str, bytes]:
        """Content digests of all that it holds, by id."""
        return self._writer.contents()

    def finish(self) -> None:
        """Write everything through to the disk and close the file."""
        self.flush()
        if not self._writer.head.items:
            source = self._writer.origin.source
            raise InvalidInput(f"{source!r} gives no items; a knowledge base needs at least one")
        self._writer.vacuum()
        self.close()
        fsync(self._writer.path)

    def close(self) -> None:
        """Close the file, finished or not."""
        self._writer.close()


@contextmanager
def write_store(
    directory: Path, origin: Origin, settings: EngineSettings | None = None, *, resume: bool = False
) -> Iterator[StagedStore]:
    """Write a new store for a directory; it replaces the old one when the block ends without an error.

    Before that the store is read back and checked, and its index is written.
    settings: which engine. resume: continue a stopped build of the same origin, and leave this one resumable
    Raises Unavailable when another process writes there, InvalidInput when nothing was added, Exhausted when the disk
    is full.
    """
    layout = Layout(directory)
    with WriterLock(directory):
        layout.tidy()
        path = _resumed(layout, origin) if resume else None
        if path is None:
            path = layout.new_store()
            create_store(path, origin)
            layout.begin(path)
            layout.tidy()
        staged = StagedStore(path)
        try:
            yield staged
            staged.finish()
            index_store(layout, path, settings or EngineSettings())
            layout.adopt(path)
            resume = False
        finally:
            staged.close()
            if not resume:
                layout.drop_building()
                layout.tidy()


def _resumed(layout: Layout, origin: Origin) -> Path | None:
    """The store of a stopped build of the same origin; None if there is none."""
    path = layout.building()
    if path is None:
        return None
    try:
        with closing(StoreWriter(path, durable=False)) as writer:
            return path if writer.origin == origin else None
    except SemLinkError:  # damaged by a power cut
        return None
