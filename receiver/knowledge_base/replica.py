"""A replica: a reader that follows the writer, which is another process.

    current      names another store?        open that one
    index file   replaced?                   load it, once its checksum is verified
    store        its data_version changed?   only additions: read those; anything else: read all rows again

A search keeps the view that it began with; later ones use the next view.
"""

from contextlib import suppress
from dataclasses import replace

import structlog

from receiver.knowledge_base.index.base import IndexEngine
from receiver.knowledge_base.index.index_file import load_index
from receiver.knowledge_base.index.ranking_file import RankingFile
from receiver.knowledge_base.index.settings import EngineSettings
from receiver.knowledge_base.load import new_engine, open_view
from receiver.knowledge_base.store.layout import Layout
from receiver.knowledge_base.view import View
from shared.errors import SemLinkError

_log = structlog.get_logger()

IndexFiles = frozenset[tuple[str, int, int]]  # name, inode, time of the last change in nanoseconds


class Follower:
    """Looks for changes; for one thread. Make it before opening the first view, so that it misses none."""

    def __init__(self, layout: Layout, settings: EngineSettings) -> None:
        self._layout = layout
        self._settings = settings
        self._index_files = self._list_index_files()
        self._data_version: int | None = None
        self._complaint = ""

    def refreshed(self, view: View) -> View:
        """The current view; the same one if nothing has changed. A change that cannot be read is logged and skipped."""
        try:
            fresh = self._refreshed(view)
        except (SemLinkError, OSError) as error:
            if str(error) != self._complaint:
                _log.error("cannot follow the writer, serving what was read before", reason=str(error))
            self._complaint = str(error)
            return view
        self._complaint = ""
        return fresh

    def _refreshed(self, view: View) -> View:
        path, index_files = self._layout.current(), self._list_index_files()
        if path != view.store.path:
            view = open_view(self._layout, path, self._settings)
            self._data_version = None
        elif index_files != self._index_files:
            loaded = self._newer_index(view)  # before the content: the writer may be ahead of the index, never behind
            view = self._changed(view)
            if loaded is not None:
                ranking = RankingFile(self._layout.ranking(path), view.store.origin.dim)
                view = replace(view.with_engine(*loaded), ranking=ranking)
        else:
            view = self._changed(view)
        self._index_files = index_files
        return view

    def _newer_index(self, view: View) -> tuple[IndexEngine, int] | None:
        """The saved index and the position up to which it covers the store; None if it covers less than this view."""
        engine = new_engine(self._layout, self._settings, view.store, view.head.items)
        covered = load_index(engine, self._layout.index(view.store.path, engine.name), view.store.store_id)
        return (engine, covered) if covered >= max(1, view.covered) else None

    def _changed(self, view: View) -> View:
        """The view after additions, removals and new labels."""
        data_version = view.store.data_version()  # before the content, which may be newer then, never older
        if data_version == self._data_version:
            return view
        added = view.store.load_added(view.head)
        if added is None:
            view = view.with_contents(view.store.load())
        elif added[0]:
            view = view.with_added(*added)
        self._data_version = data_version
        return view

    def _list_index_files(self) -> IndexFiles:
        """Index files, each with what a replacement changes."""
        found = set()
        for path in self._layout.directory.glob("store-*.index"):
            with suppress(FileNotFoundError):  # the writer drops those of other engines
                status = path.stat()
                found.add((path.name, status.st_ino, status.st_mtime_ns))
        return frozenset(found)
