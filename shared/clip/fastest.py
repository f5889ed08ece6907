"""Engines measured against one another, and the fastest of them."""

import time

from shared.clip.model import Engine
from shared.types import Pixels

_WORTH = 1.1  # bfloat16 must be this much faster to be taken
_HOPELESS = 2.0  # times the best one's time; such an engine is not measured again
_ROUNDS = 3


def fastest(engines: list[Engine], example: Pixels) -> Engine:
    """Time all by turns, so that a busy moment of the machine falls on all; the first round warms up."""
    if len(engines) == 1:
        return engines[0]
    for engine in engines:
        engine(example)
    times = dict.fromkeys(engines, float("inf"))
    for _ in range(_ROUNDS):
        best = min(times.values())
        for engine in [one for one in engines if times[one] <= _HOPELESS * best]:
            times[engine] = min(times[engine], _seconds(engine, example))
    return min(engines, key=lambda one: times[one] * (_WORTH if one.precision == "bfloat16" else 1))


def _seconds(engine: Engine, example: Pixels) -> float:
    started = time.perf_counter()
    engine(example)
    return time.perf_counter() - started
