"""Bringing what was added since into the bulk."""

from receiver.knowledge_base.index.base import IndexEngine
from receiver.knowledge_base.index.settings import EngineSettings
from receiver.knowledge_base.load import new_engine
from receiver.knowledge_base.store.layout import Layout
from receiver.knowledge_base.view import View

_MOST_REMOVED = 2  # vectors in the bulk for each item that is still there


def folded_engine(layout: Layout, settings: EngineSettings, view: View) -> IndexEngine:
    """An engine that holds the bulk and the delta: a new one where the old suits no longer or holds too much."""
    engine = new_engine(layout, settings, view.store, view.head.items)
    crowded = len(view.engine) > _MOST_REMOVED * view.head.items
    if engine.name != view.engine.name or crowded or not view.engine.growing:
        engine.build(view.store.vectors(0, view.head.next_position, view.live))
        return engine
    engine = view.engine.clone()
    engine.add(view.delta.positions[: view.delta.count], view.delta.vectors[: view.delta.count])
    return engine
