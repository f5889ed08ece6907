"""From the files of a knowledge base to its first view.

store.sqlite -> ids, labels, digests ------------------.
index file, or built anew -> bulk, up to `covered` -----+--> View
ranking file, or brought up to `covered` ---------------+
store.sqlite -> embeddings from `covered` on -> delta -'
"""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

from receiver.knowledge_base.index.append_only import Delta
from receiver.knowledge_base.index.base import IndexEngine
from receiver.knowledge_base.index.index_file import load_index, save_index
from receiver.knowledge_base.index.ranking_file import RankingFile, extended_ranking_file
from receiver.knowledge_base.index.settings import EngineSettings, tuned_settings
from receiver.knowledge_base.index.table import make_engine
from receiver.knowledge_base.store.layout import Layout
from receiver.knowledge_base.store.store import Contents, Store
from receiver.knowledge_base.view import View

_MOST_REMOVED = 2  # vectors in the bulk for each item that is left


def open_view(layout: Layout, path: Path, settings: EngineSettings, *, writable: bool = False) -> View:
    """Read and check a store, and load its index; the index is rebuilt if its file does not match the store.

    writable: bring the ranking file up to it
    Raises DataLoss when the store is damaged, Mismatch for another schema, InvalidSetting for a device or an engine
    that is not there.
    """
    store = Store(path)
    try:
        engine = new_engine(layout, settings, store, store.head.items)
        covered = load_index(engine, layout.index(path, engine.name), store.store_id)
        contents = store.load()  # after the index, which a writer could bring ahead of what was read
        if not 0 < covered <= contents.head.next_position:
            covered = _build_index(layout, store, contents, engine)
        ranking = _ranking(layout, store, contents, engine, covered, writable=writable)
        later = store.vectors(covered, contents.head.next_position, contents.live)
        delta = Delta.empty(store.origin.dim).extended_by(later)
        return View(**vars(contents), store=store, engine=engine, covered=covered, delta=delta, ranking=ranking)
    except BaseException:
        store.close()
        raise


def index_store(layout: Layout, path: Path, settings: EngineSettings) -> None:
    """Read and check a new store, and write its index beside it."""
    with closing(Store(path)) as store:
        contents, engine = store.load(), new_engine(layout, settings, store, store.head.items)
        covered = _build_index(layout, store, contents, engine)
        _ranking(layout, store, contents, engine, covered, writable=True)


def new_engine(layout: Layout, settings: EngineSettings, store: Store, items: int) -> IndexEngine:
    """An empty engine: the one asked for, else the tuned one, else one chosen by the number of items."""
    named = replace(settings, collection=settings.collection or f"semlink_{store.store_id}")
    return make_engine(tuned_settings(layout.directory, named), items)


def merged_engine(layout: Layout, settings: EngineSettings, view: View) -> IndexEngine:
    """An engine that holds the bulk and the delta: built anew if another engine suits now or too much was removed."""
    engine = new_engine(layout, settings, view.store, view.head.items)
    crowded = len(view.engine) > _MOST_REMOVED * view.head.items
    if engine.name != view.engine.name or crowded or not view.engine.growing:
        engine.build(view.store.vectors(0, view.head.next_position, view.live))
        return engine
    engine = view.engine.clone()
    engine.add(view.delta.positions[: view.delta.count], view.delta.vectors[: view.delta.count])
    return engine


def _build_index(layout: Layout, store: Store, contents: Contents, engine: IndexEngine) -> int:
    """Build and save an index of all items; up to which position it covers the store."""
    covered = contents.head.next_position
    engine.build(store.vectors(0, covered, contents.live))
    save_index(engine, layout.index(store.path, engine.name), store.store_id, covered)
    return covered


def _ranking(
    layout: Layout, store: Store, contents: Contents, engine: IndexEngine, covered: int, *, writable: bool
) -> RankingFile:
    path = layout.ranking(store.path)
    if writable and not engine.exact:
        return extended_ranking_file(path, store, contents.live, covered)
    return RankingFile(path, store.origin.dim)
