"""The knowledge base, searched by any number of threads while it changes.

    search, get ------> View of this moment
    add, remove ... --> StoreWriter: COMMIT, fsync --> next View --> acknowledged
    compact ---------> new engine from the store, in the background --> next View

The store is authoritative. An acknowledged change is on the disk, and every later search sees it.
"""

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Self

import structlog

from receiver.knowledge_base.index.base import IndexEngine
from receiver.knowledge_base.index.index_file import save_index
from receiver.knowledge_base.index.ranking_file import extended_ranking_file
from receiver.knowledge_base.index.settings import EngineSettings
from receiver.knowledge_base.index.table import SHARED_ENGINES
from receiver.knowledge_base.load import merged_engine, new_engine, open_view
from receiver.knowledge_base.records import AddedRecord, ItemRecord
from receiver.knowledge_base.replica import Follower
from receiver.knowledge_base.snapshots import list_snapshots, remove_snapshot, restored_store, take_snapshot
from receiver.knowledge_base.store.layout import Layout
from receiver.knowledge_base.store.lock import WriterLock, last_writer
from receiver.knowledge_base.store.writer import StoreWriter
from receiver.knowledge_base.verify import verify
from receiver.knowledge_base.view import View
from shared.errors import InvalidInput, Mismatch, SemLinkError, Unavailable
from shared.frame.kb import Item, Kept, KnowledgeBaseInfo, Listed, Snapshot, Verification
from shared.frame.reception import Hit
from shared.observe.metrics import REBUILDS
from shared.types import Floats

MERGE_ITEMS = 16_384  # in the delta before it is merged into the bulk; searching it costs 8 ms of one core
_SAVED_SHARE = 0.1  # most items that the index file may lack; the next start reads them from the store

_log = structlog.get_logger()


class KnowledgeBase:
    """Items with embeddings, searched by embedding. Made by `open`. Safe for use from several threads."""

    def __init__(
        self, layout: Layout, settings: EngineSettings, view: View, writer: StoreWriter | None, lock: WriterLock | None
    ) -> None:
        self._layout = layout
        self._settings = settings
        self._view = view
        self._writer = writer
        self._lock = lock
        self._write_lock = threading.Lock()  # held for one change
        self._upkeep_lock = threading.Lock()  # held while an engine is built; taken before the other
        self._merging = threading.Event()
        self._closed = threading.Event()
        self._following: threading.Thread | None = None
        self._saved = view.covered

    @classmethod
    def open(
        cls,
        directory: str | Path,
        settings: EngineSettings | None = None,
        *,
        writable: bool = False,
        follow_seconds: float | None = None,
    ) -> "KnowledgeBase":
        """Open a knowledge base and make its index ready.

        settings: which engine, and where; by default chosen by the number of items
        writable: be its one writer
        follow_seconds: how often a reader looks for changes of the writer; None: it stays as it was opened
        Raises NotFound without a knowledge base there, DataLoss when it is damaged, Mismatch for another schema,
        InvalidSetting for a device or an engine that is not there, Unavailable when it has another writer.
        """
        layout, settings = Layout(Path(directory)), settings or EngineSettings()
        if not writable:
            return cls._reader(layout, settings, follow_seconds)
        path = layout.current()  # before the lock, which would make the directory
        lock = WriterLock(layout.directory)
        try:
            path = layout.current()
            layout.tidy()
            writer = StoreWriter(path)
            opened = cls(layout, settings, open_view(layout, path, settings, writable=True), writer, lock)
            opened._merge_in_background()
            return opened
        except BaseException:
            lock.release()
            raise

    @classmethod
    def _reader(cls, layout: Layout, settings: EngineSettings, follow_seconds: float | None) -> "KnowledgeBase":
        follower = Follower(layout, settings)  # before the view, so that it misses nothing
        opened = cls(layout, settings, open_view(layout, layout.current(), settings), None, None)
        if follow_seconds is not None:
            opened._following = threading.Thread(target=opened._follow, args=(follower, follow_seconds), daemon=True)
            opened._following.start()
        return opened

    @property
    def view(self) -> View:
        """The knowledge base at this moment; use one view for all steps of a search."""
        return self._view

    @property
    def description(self) -> KnowledgeBaseInfo:
        """A summary of its content."""
        return self._view.description

    @property
    def merging(self) -> bool:
        """Whether a large delta is being merged into the bulk in the background."""
        return self._merging.is_set()

    def require_clip(self, fingerprint: str) -> None:
        """Raise Mismatch unless the embeddings come from the CLIP model with this fingerprint."""
        origin, directory = self._view.store.origin, self._layout.directory
        if fingerprint != origin.clip_fingerprint:
            raise Mismatch(
                f"the knowledge base {directory} was built from {origin.source!r} with CLIP {origin.clip!r} "
                f"(fingerprint {origin.clip_fingerprint}), but CLIP with fingerprint {fingerprint} is in use; "
                f"use the same CLIP, or build it again with this one: `semlink kb build SOURCE --out {directory}`"
            )

    def search(self, e_hat: Floats, top_k: int, labels: Collection[str] | None = None) -> list[list[Hit]]:
        """Find the top_k nearest items of each query, nearest first. e_hat: [B, dim], float, any length but 0.

        labels: only items of these; None for all
        """
        view = self._view
        return view.hits(*view.nearest(e_hat, top_k, labels))

    def get_item(self, item_id: str) -> Item:
        """See `View.item`."""
        return self._view.item(item_id)

    def list_items(self, after: int = -1, count: int = 100, label: str | None = None) -> list[Listed]:
        """Up to `count` items after a position, in order of position; of one label or of all."""
        return self._view.store.list_items(after, count, label)

    def add(self, items: Sequence[ItemRecord]) -> list[int | InvalidInput]:
        """Add items in one transaction; returns once they are on the disk and searches find them.

        Returns the position of each item, or the error of one that was refused. Raises Exhausted when the disk is full;
        then none was added.
        """
        with self._changing() as writer:
            outcomes = writer.add(items)
            if added := [outcome for outcome in outcomes if isinstance(outcome, AddedRecord)]:
                labels = self._view.labels if len(self._view.labels) == writer.label_count else writer.labels
                self._view = self._view.with_added(added, writer.head, labels)
        self._merge_in_background()
        return [outcome.position if isinstance(outcome, AddedRecord) else outcome for outcome in outcomes]

    def remove(self, item_ids: Sequence[str]) -> int:
        """Remove items, all or none; how many. Raises NotFound for an id that is not there."""
        with self._changing() as writer:
            positions = writer.remove(item_ids)
            self._view = self._view.with_removed(positions, writer.head)
        return len(positions)

    def relabel(self, labels: Mapping[str, str]) -> int:
        """Give items other labels, all or none: by id; how many. Raises NotFound for an id that is not there."""
        with self._changing() as writer:
            changed = writer.relabel(labels)
            self._view = self._view.with_labels(changed, writer.head, writer.labels)
        return len(changed)

    def compact(self, settings: EngineSettings | None = None) -> None:
        """Rebuild the index without removed items and free their disk space; searches go on meanwhile.

        settings: another engine, from now on
        """
        with self._upkeep_lock:
            self._settings = settings or self._settings
            view = self._view
            engine = new_engine(self._layout, self._settings, view.store, view.head.items)
            engine.build(view.store.vectors(0, view.head.next_position, view.live))
            self._swap(engine, view.head.next_position)
            self._layout.ranking(view.store.path).unlink(missing_ok=True)  # removed items are in it
            self._save_index()
            with self._changing() as writer:
                writer.vacuum()
            self._layout.drop_indexes(view.store.path, but=engine.name)

    def snapshot(self, name: str) -> Snapshot:
        """Copy the knowledge base as it is now to `snapshots/NAME`; changes and searches go on."""
        self._require_writer()
        with self._upkeep_lock:  # a restore would remove what is copied
            return take_snapshot(self._layout, self._view.store, name)

    def list_snapshots(self) -> list[Kept]:
        """The snapshots that there are, by name."""
        return list_snapshots(self._layout.directory)

    def remove_snapshot(self, name: str) -> list[Kept]:
        """Remove a snapshot; those that are left. Raises NotFound naming those that there are."""
        with self._changing():
            return remove_snapshot(self._layout.directory, name)

    def restore(self, name: str) -> None:
        """Go back to a snapshot, atomically. Raises DataLoss for a damaged one; then nothing has changed."""
        with self._upkeep_lock, self._changing() as writer:
            path = restored_store(self._layout, name, writer.head.version, writer.origin)
            view = open_view(self._layout, path, self._settings, writable=True)
            self._layout.adopt(path)
            self._writer, self._view, self._saved = StoreWriter(path), view, view.covered
            writer.close()
            self._layout.tidy()

    def verify(self) -> Verification:
        """Read and check everything that is on the disk."""
        return verify(self._layout.directory)

    def close(self) -> None:
        """Close the files and let the next writer in."""
        self._closed.set()
        if self._following is not None:
            self._following.join()
        with self._write_lock:
            self._view.store.close()
            if self._writer is not None:
                self._writer.close()  # the last connection, so SQLite merges its log into the store
            if self._lock is not None:
                self._lock.release()
            self._writer = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _changing(self) -> Iterator[StoreWriter]:
        with self._write_lock:
            yield self._require_writer()

    def _require_writer(self) -> StoreWriter:
        if self._writer is None:
            raise Unavailable(
                f"the knowledge base {self._layout.directory} is closed, or open for reading alone; "
                f"change it through the receiver that writes it ({last_writer(self._layout.directory)})"
            )
        return self._writer

    def _follow(self, follower: Follower, seconds: float) -> None:
        """Follow the writer's changes until this is closed."""
        while not self._closed.wait(seconds):
            with self._upkeep_lock:
                fresh = follower.refreshed(self._view)
                with self._write_lock:
                    self._view = fresh
            self._merge_in_background()

    def _merge_in_background(self) -> None:
        """Start a thread that merges a large delta into the bulk; a reader leaves a shared bulk to the writer."""
        if self._writer is None and self._view.engine.name in SHARED_ENGINES:
            return
        if self._view.delta.count >= MERGE_ITEMS and not self._merging.is_set():
            self._merging.set()
            threading.Thread(target=self._merge, name="merge", daemon=True).start()

    def _merge(self) -> None:
        try:
            with self._upkeep_lock:
                view, covered = self._view, self._view.head.next_position
                self._swap(merged_engine(self._layout, self._settings, view), covered)
                lag = covered - self._saved
                if self._writer is not None and lag > max(MERGE_ITEMS, _SAVED_SHARE * view.head.items):
                    self._save_index()
        except SemLinkError as error:  # the delta remains in use
            if not self._closed.is_set():
                _log.error("the delta could not be merged into the index", reason=str(error))
        finally:
            self._merging.clear()

    def _swap(self, engine: IndexEngine, covered: int) -> None:
        """Publish a view with another engine, and a delta of the items that it lacks."""
        with self._write_lock:
            self._view = self._view.with_engine(engine, covered)
        REBUILDS.add()

    def _save_index(self) -> None:
        """Save the ranking file and then the index file, which readers watch."""
        view = self._view
        if not view.engine.exact:
            ranking_path = self._layout.ranking(view.store.path)
            ranking = extended_ranking_file(ranking_path, view.store, view.live, view.covered)
            with self._write_lock:
                self._view = replace(self._view, ranking=ranking)
        path = self._layout.index(view.store.path, view.engine.name)
        if save_index(view.engine, path, view.store.store_id, view.covered):
            self._saved = view.covered
