"""The knowledge base against bare FAISS: speed, recall and memory at a set size, measured in one run.

vectors, block by block --> store, index       items/s
                         '-> exact neighbours of noisy queries
a process of its own: open, search, bare FAISS  seconds, ms, MB, recall
"""

import json
import subprocess
import sys
import tempfile
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

import numpy as np

from lab.bench.kb_vectors import DIM, Collection
from lab.knowledge_base.neighbours import TrueNeighbours, recall
from lab.knowledge_base.tuning import TuningPlan, tune
from lab.simulate.chain import channel_chain
from lab.simulate.embeddings import transmit_embeddings
from receiver.knowledge_base import EngineSettings, ItemRecord, KnowledgeBase, Origin, write_store
from receiver.knowledge_base.index.milvus import MilvusIndex
from receiver.knowledge_base.index.table import choose_engine
from shared.codecs.embedding.raw import Raw
from shared.phy import ChannelSettings
from shared.types import Doubles, Floats, Ints, Progress

_NEIGHBOURS = 10
_DURABLE_BATCH = 512
_NO_GRAPH = 2048  # Milvus makes no graph of a segment of below 1,024
_QUERY_BLOCK = 1_000_000  # blocks from here on are queries


@dataclass(frozen=True)
class KnowledgeBaseBench:
    """What to measure.

    items: in the knowledge base. queries: single searches, one after the other. snr_db: of the channel that the queries
    passed, AWGN, codec raw. engine: by name, or auto. tune: recall@1 that `kb tune` has to reach
    first. directory: where to build, and to keep it; none: nowhere.
    durable_items: added one acknowledged batch of 512 after the other, beyond `items`. uri: of engine milvus, whose
    collection is dropped afterwards unless the knowledge base is kept.
    """

    items: int = 50_000
    queries: int = 500
    snr_db: float = 5.0
    engine: str = "auto"
    tune: float | None = None
    directory: Path | None = None
    durable_items: int = 20_480
    uri: str | None = None

    @property
    def settings(self) -> EngineSettings:
        """The engine asked for."""
        return EngineSettings(name=self.engine, uri=self.uri)


def bench_knowledge_base(bench: KnowledgeBaseBench, progress: Progress) -> dict[str, Any]:
    """Build, add, open, search. Returns what `semlink bench kb` prints."""
    collection = Collection(bench.items)
    queries = _noisy_queries(collection, bench)
    keep = nullcontext(bench.directory) if bench.directory else tempfile.TemporaryDirectory(prefix="semlink-bench-")
    with keep as folder, tempfile.TemporaryDirectory(prefix="semlink-bench-") as scratch:
        directory = Path(str(folder)) / "kb"
        truth, spent = _build(directory, collection, queries, bench.settings, progress)
        spent |= _until_searchable(directory, bench.settings)
        if bench.tune is not None:
            plan = TuningPlan(bench.tune, Raw.load(DIM, "cpu"), bench.snr_db, engines=_engines(bench))
            tune(directory, plan, progress)
        probed = _probe(directory, queries, bench.settings, Path(scratch))
        added_per_second = _add_durably(directory, collection, bench)
        if not bench.directory:
            _drop(directory, bench.settings)
    return _report(bench, spent, added_per_second, probed, truth)


def _engines(bench: KnowledgeBaseBench) -> tuple[str, ...]:
    return (choose_engine(bench.items) if bench.engine == "auto" else bench.engine,)


def _noisy_queries(collection: Collection, bench: KnowledgeBaseBench) -> Floats:
    """Vectors that are not in the collection, after the channel."""
    clean, _ = collection.block(_QUERY_BLOCK, bench.queries)
    chain = channel_chain(ChannelSettings(snr_db=bench.snr_db))
    return transmit_embeddings(clean, Raw.load(DIM, "cpu"), chain).embeddings


def _build(
    directory: Path, collection: Collection, queries: Floats, settings: EngineSettings, progress: Progress
) -> tuple[Ints, dict[str, float]]:
    """Store and index all items; the queries' true neighbours [Q, 10], and the seconds without finding those."""
    nearest, seconds, done = TrueNeighbours(queries, _NEIGHBOURS), 0.0, 0
    started = perf_counter()
    with write_store(directory, Origin("synthetic", "none", "none", DIM), settings) as store:
        for vectors, labels in collection.blocks():
            started = perf_counter()
            for row, (vector, label) in enumerate(zip(vectors, labels.tolist(), strict=True)):
                store.add(f"item/{done + row}", f"class {label}", vector)
            seconds += perf_counter() - started
            nearest.look_at(vectors, np.arange(done, done + len(vectors)))
            done += len(vectors)
            progress(done, collection.items)
        started = perf_counter()
    index_seconds = perf_counter() - started
    return nearest.positions, {"build_seconds": seconds + index_seconds, "index_seconds": index_seconds}


def _until_searchable(directory: Path, settings: EngineSettings) -> dict[str, float]:
    """The seconds that a Milvus goes on building its graph after it has all vectors; nothing for other engines."""
    started = perf_counter()
    with KnowledgeBase.open(directory, settings) as knowledge_base:
        engine = knowledge_base.view.engine
        if not isinstance(engine, MilvusIndex):
            return {}
        while engine.pending() > _NO_GRAPH:
            sleep(1)
    return {"graph_seconds": perf_counter() - started}


def _drop(directory: Path, settings: EngineSettings) -> None:
    """Remove the collection from a Milvus."""
    with KnowledgeBase.open(directory, settings) as knowledge_base:
        engine = knowledge_base.view.engine
        if isinstance(engine, MilvusIndex):
            engine.drop()


def _probe(directory: Path, queries: Floats, settings: EngineSettings, scratch: Path) -> dict[str, Any]:
    np.save(scratch / "queries.npy", queries)
    command = [sys.executable, "-m", "lab.knowledge_base.probe", directory, scratch / "queries.npy", settings.name]
    command += [settings.uri] if settings.uri else []
    answer = subprocess.run(list(map(str, command)), check=True, stdout=subprocess.PIPE)
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


def _add_durably(directory: Path, collection: Collection, bench: KnowledgeBaseBench) -> float:
    """Items a second, each batch on the disk and acknowledged before the next."""
    vectors, labels = collection.block(_QUERY_BLOCK + 1, bench.durable_items)
    items = [
        ItemRecord(f"new/{row}", f"class {label}", vector)
        for row, (vector, label) in enumerate(zip(vectors, labels.tolist(), strict=True))
    ]
    with KnowledgeBase.open(directory, bench.settings, writable=True) as knowledge_base:
        start = perf_counter()
        for first in range(0, len(items), _DURABLE_BATCH):
            knowledge_base.add(items[first : first + _DURABLE_BATCH])
        added_per_second = len(items) / (perf_counter() - start)
        while knowledge_base.merging:
            sleep(0.1)
        return added_per_second


def _report(
    bench: KnowledgeBaseBench,
    spent: dict[str, float],
    added_per_second: float,
    probed: dict[str, Any],
    truth: Ints,
) -> dict[str, Any]:
    found = np.array(probed["found"])
    served, bare = np.array(probed["served_ms"]), np.array(probed["bare_ms"])
    return {
        "items": bench.items,
        "engine": probed["engine"],
        "parameters": probed["parameters"],
        "snr_db": bench.snr_db,
        **spent,
        "recall_at_1": recall(truth[:, :1], found[:, :1]),
        "recall_at_10": recall(truth, found[:, :_NEIGHBOURS]),
        "search_ms": _percentiles(served),
        "bare_faiss_ms": _percentiles(bare),
        "overhead_ms": float(np.median(served) - np.median(bare)),
        "ratio": float(np.median(served) / np.median(bare)),
        "open_seconds": probed["open_seconds"],
        "resident_megabytes": probed["resident_bytes"] / 1e6,
        "peak_resident_megabytes": probed["peak_resident_bytes"] / 1e6,
        "libraries_megabytes": probed["libraries_bytes"] / 1e6,
        "durable_adds_per_second": added_per_second,
    }


def _percentiles(milliseconds: Doubles) -> dict[str, float]:
    values = np.percentile(milliseconds, (50, 95, 99))
    return dict(zip(("p50", "p95", "p99"), map(float, values), strict=True))
