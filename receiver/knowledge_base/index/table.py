"""The engines by name, and which one suits how many items."""

from collections.abc import Callable
from functools import partial

from receiver.knowledge_base.index.approximate import ApproximateIndex
from receiver.knowledge_base.index.base import IndexEngine
from receiver.knowledge_base.index.flat import FlatIndex
from receiver.knowledge_base.index.milvus import MilvusIndex
from receiver.knowledge_base.index.recipes import RECIPES
from receiver.knowledge_base.index.settings import EngineSettings
from shared.errors import InvalidSetting

ENGINES: dict[str, Callable[[EngineSettings], IndexEngine]] = {
    FlatIndex.name: FlatIndex,
    **{name: partial(ApproximateIndex, name) for name in RECIPES},
    MilvusIndex.name: MilvusIndex,
}

SHARED_ENGINES = frozenset({MilvusIndex.name})  # the vectors lie outside, for all receivers; the writer changes them

_FLAT_MOST = 20_000  # about 2 ms for one query on one core
_SQ8_MOST = 2_000_000  # about 1 GB of codes


def choose_engine(items: int) -> str:
    """The name of the engine that suits so many items."""
    if items <= _FLAT_MOST:
        return "flat"
    return "ivf-sq8" if items <= _SQ8_MOST else "ivf-rabitq"


def make_engine(settings: EngineSettings, items: int) -> IndexEngine:
    """Make an empty engine for about so many items. Raises InvalidSetting for a name that is not in `ENGINES`."""
    name = choose_engine(items) if settings.name == "auto" else settings.name
    if name not in ENGINES:
        raise InvalidSetting(f"engine = {name!r}; choose auto or one of {', '.join(sorted(ENGINES))}")
    return ENGINES[name](settings)
