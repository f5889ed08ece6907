"""Open a knowledge base in a process of its own and search it.

`python -m lab.knowledge_base.probe DIR QUERIES.npy ENGINE [URI]`

Prints one JSON object: seconds to open, memory, times of single searches, and what was found. Of each query the
knowledge base and the bare index inside it take turns at coming first.
"""

import json
import sys
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
import psutil

from receiver.decision import VOTERS, vote
from receiver.knowledge_base import EngineSettings, KnowledgeBase
from receiver.knowledge_base.view import View
from shared.types import Floats, Positions

_WARM_UP = 20


def probe(directory: Path, queries: Floats, settings: EngineSettings) -> dict[str, Any]:
    """All that is measured."""
    before_bytes, start = _resident_bytes(), perf_counter()
    with KnowledgeBase.open(directory, settings) as knowledge_base:
        open_seconds = perf_counter() - start
        view = knowledge_base.view
        for query in queries[:_WARM_UP]:
            _served(view, query[None])
        turns = [_turn(view, query[None], bare_first=bool(number % 2)) for number, query in enumerate(queries)]
        return {
            "engine": view.engine.name,
            "parameters": dict(getattr(view.engine, "parameters", {})),
            "open_seconds": open_seconds,
            "served_ms": [1e3 * turn.served_seconds for turn in turns],
            "bare_ms": [1e3 * turn.bare_seconds for turn in turns],
            "found": [turn.found for turn in turns],
            "resident_bytes": _resident_bytes(),
            "peak_resident_bytes": _peak_resident_bytes(),
            "libraries_bytes": before_bytes,
        }


class _Turn(NamedTuple):
    served_seconds: float
    bare_seconds: float
    found: list[int]


def _turn(view: View, query: Floats, bare_first: bool) -> _Turn:
    """Both searches for one query. Whichever comes second finds the vectors in the processor's cache."""
    start = perf_counter()
    first = _bare(view, query) if bare_first else _served(view, query)
    middle = perf_counter()
    second = _served(view, query) if bare_first else _bare(view, query)
    seconds = (middle - start, perf_counter() - middle)
    found = second if bare_first else first
    return _Turn(seconds[bare_first], seconds[not bare_first], found[0].tolist())


def _served(view: View, query: Floats) -> Positions:
    """What the receiver does with one embedding: search, rank, vote, hits."""
    positions, squared = view.nearest(query, VOTERS)
    vote(view.labels_of(positions), squared, np.zeros(1))
    view.hits(positions[:, :5], squared[:, :5])
    return positions


def _bare(view: View, query: Floats) -> Positions:
    """The engine alone."""
    return view.engine.search(query, VOTERS)[0]


def _resident_bytes() -> int:
    return int(psutil.Process().memory_info().rss)


def _peak_resident_bytes() -> int:
    """Of this process alone: psutil has no peak on Linux, and getrusage counts what the parent had before."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


if __name__ == "__main__":
    _, given_directory, given_queries, name, *uri = sys.argv
    chosen = EngineSettings(name=name, device="cpu", uri=uri[0] if uri else None)
    json.dump(probe(Path(given_directory), np.load(given_queries), chosen), sys.stdout)
