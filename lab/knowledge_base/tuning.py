"""Which engine, tried how hard, finds the true neighbours fast enough.

    items of the base --channel--> noisy queries --> exact neighbours          the truth
                                       '--> each engine, more and more effort  recall, ms

An item is never counted as its own neighbour, since a picture that is sent is not in the knowledge base.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

import numpy as np

from lab.knowledge_base.calibration import own_queries
from lab.knowledge_base.neighbours import TrueNeighbours, recall, without
from lab.simulate.chain import channel_chain
from lab.simulate.embeddings import transmit_embeddings
from receiver.decision import VOTERS
from receiver.knowledge_base import EngineSettings, KnowledgeBase
from receiver.knowledge_base.index.append_only import Delta
from receiver.knowledge_base.index.approximate import ApproximateIndex
from receiver.knowledge_base.index.base import IndexEngine
from receiver.knowledge_base.index.recipes import RECIPES, list_count
from receiver.knowledge_base.index.settings import Tuning, write_tuning
from receiver.knowledge_base.index.table import make_engine
from receiver.knowledge_base.view import View
from shared.codecs import Codec
from shared.errors import InvalidSetting, NotFound
from shared.phy import ChannelSettings
from shared.types import Floats, Positions, Progress

_NEIGHBOURS = 10
_DEPTHS = {"ivf-sq8": (5, 40), "hnsw": (5, 40), "ivf-rabitq": (50, 100, 200, 400), "opq-ivf-pq": (50, 100, 200, 400)}
_FLAT_MOST = 200_000  # 20 ms a query; nobody would choose it beyond
_HNSW_MOST = 100_000  # minutes to build
_ENOUGH = 0.9995  # recall beyond which more effort cannot show


@dataclass(frozen=True)
class OperatingPoint:
    """One measurement. milliseconds: median of a single query, ranking from the store included."""

    engine: str
    parameters: dict[str, int]
    recall_at_1: float
    recall_at_10: float
    milliseconds: float


@dataclass(frozen=True)
class TuningPlan:
    """What to measure. codec, snr_db: what the queries pass, AWGN. engines: by name; none: those that suit the size."""

    recall: float
    codec: Codec
    snr_db: float = 5.0
    queries: int = 500
    engines: Sequence[str] = ()
    seed: int = 0


def tune(directory: Path, plan: TuningPlan, progress: Progress) -> tuple[Tuning, list[OperatingPoint]]:
    """Measure engines on a knowledge base, and keep the fastest whose recall@1 reaches the target beside it.

    Returns the choice and all points. Raises NotFound when none reaches it, InvalidSetting for an engine that is not
    there.
    """
    if not 0 < plan.recall <= 1:
        raise InvalidSetting(f"recall = {plan.recall:g}; choose more than 0 and at most 1")
    with KnowledgeBase.open(directory) as knowledge_base:
        points = measure(knowledge_base.view, plan, progress)
        items = knowledge_base.description.items
    best = min((p for p in points if p.recall_at_1 >= plan.recall), key=lambda p: p.milliseconds, default=None)
    if best is None:
        closest = max(points, key=lambda point: point.recall_at_1)
        raise NotFound(
            f"no engine reaches recall {plan.recall:g}; {closest.engine} {closest.parameters} comes closest with "
            f"{closest.recall_at_1:.3f}: ask for less, or choose other engines, of which flat is exact"
        )
    spec = f"{plan.codec.name} k = {plan.codec.k}"
    tuning = Tuning(
        best.engine, best.parameters, best.recall_at_1, best.recall_at_10, best.milliseconds, items, plan.snr_db, spec
    )
    write_tuning(directory, tuning)
    return tuning, points


def measure(view: View, plan: TuningPlan, progress: Progress) -> list[OperatingPoint]:
    """Every engine with every effort, one point each."""
    own = own_queries(view, plan.queries, plan.seed)
    chain = channel_chain(ChannelSettings(snr_db=plan.snr_db, seed=plan.seed))
    queries = transmit_embeddings(own.embeddings, plan.codec, chain).embeddings
    trials = _Trials(view, queries, own.positions, _true_neighbours(view, queries, own.positions))
    names = plan.engines or suitable(view.head.items)
    points = []
    for number, name in enumerate(names):
        progress(number, len(names))
        points += list(trials.curve(name))
    progress(len(names), len(names))
    return points


def suitable(items: int) -> list[str]:
    """Engines worth a trial among so many items."""
    names = ["ivf-sq8", "ivf-rabitq"]
    return ["flat"] * (items <= _FLAT_MOST) + ["hnsw"] * (items <= _HNSW_MOST) + names


@dataclass(frozen=True)
class _Trials:
    """What every engine is tried on. own: [Q], positions of the queries' items. truth: [Q, 10]."""

    view: View
    queries: Floats
    own: Positions
    truth: Positions

    def curve(self, name: str) -> Iterator[OperatingPoint]:
        """Points of one engine, for each depth with more and more effort until recall cannot grow."""
        view = self.view
        engine = make_engine(EngineSettings(name=name, device="cpu"), view.head.items)
        engine.build(view.store.vectors(0, view.head.next_position, view.live))
        if not isinstance(engine, ApproximateIndex):
            yield self._point(engine, {})
            return
        recipe = RECIPES[name]
        most = list_count(len(engine)) if recipe.effort == "nprobe" else min(1024, len(engine))
        for depth in _DEPTHS[name]:
            effort, found = 1 if recipe.effort == "nprobe" else 16, 0.0
            while found < _ENOUGH and effort <= most:
                parameters = {recipe.effort: effort, "depth": depth}
                point = self._point(engine.tuned(parameters), parameters)
                yield point
                effort, found = 2 * effort, point.recall_at_1

    def _point(self, engine: IndexEngine, parameters: dict[str, int]) -> OperatingPoint:
        view, dim = self.view, self.queries.shape[1]
        trial = replace(view, engine=engine, covered=view.head.next_position, delta=Delta.empty(dim))
        seconds, found = [], []
        for query in self.queries:
            start = perf_counter()
            found.append(trial.nearest(query[None], VOTERS + 1))
            seconds.append(perf_counter() - start)
        near, _ = without(self.own, *(np.concatenate(parts) for parts in zip(*found, strict=True)))
        return OperatingPoint(
            engine.name,
            parameters,
            recall(self.truth[:, :1], near[:, :1]),
            recall(self.truth, near[:, :_NEIGHBOURS]),
            1e3 * float(np.median(seconds)),
        )


def _true_neighbours(view: View, queries: Floats, own: Positions) -> Positions:
    truth = TrueNeighbours(queries, _NEIGHBOURS + 1)
    for positions, vectors in view.store.vectors(0, view.head.next_position, view.live).chunks():
        truth.look_at(vectors, positions)
    return without(own, truth.positions, truth.cosines)[0]
