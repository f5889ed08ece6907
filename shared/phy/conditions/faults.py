"""Faults of whole bursts: loss, duplication, reordering, delay, stalls and connection resets.

A fault draw depends on (seed, stream, burst counter) alone, as every draw does: the proxy applies it over sockets, the
lab only counts it, and both draw the same.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from operator import attrgetter
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from shared.phy.conditions.settings import ChannelSettings, FaultSettings, JitterName
from shared.phy.randomness import generator
from shared.types import Bools

FAULTS: Final = 13
GILBERT_ELLIOTT: Final = 14
"""Numbers of the faults' draws, in the sequence of `shared.phy.channel.registry`."""

_BLOCK: Final = 1 << 10
_EPOCH_BLOCKS: Final = 1 << 14
"""Blocks after which the Gilbert-Elliott chain restarts: bounds the search; one restart per 2^24 bursts."""


class FaultDraw(NamedTuple):
    """Faults of one burst.

    copies: number of arrivals; 0 lost, 2 duplicated. cause: of a loss, as `setting = value`; empty otherwise.
    held_seconds: delay of this burst alone: delay, jitter, reordering. reordered: whether it is delayed so that others
    overtake it. stalled_seconds: how long the whole link stops when it enters. reset: whether the connection to the
    receiver breaks when it enters.
    """

    copies: int = 1
    cause: str = ""
    held_seconds: float = 0.0
    reordered: bool = False
    stalled_seconds: float = 0.0
    reset: bool = False

    @property
    def lost(self) -> bool:
        """Whether it never reaches the receiver."""
        return self.copies == 0


NO_FAULT: Final = FaultDraw()
_PROBABILITIES: Final = [name for name in FaultSettings.model_fields if name.endswith("_probability")]
_faults_of: Final = attrgetter(*_PROBABILITIES, "good_to_bad", "loss_good", "delay_seconds", "jitter_seconds")


_JITTER: Final[Mapping[JitterName, Callable[[np.random.Generator], float]]] = {
    "uniform": lambda rng: rng.uniform(-1, 1),
    "normal": np.random.Generator.standard_normal,
    "exponential": np.random.Generator.standard_exponential,
}


def draw_faults(settings: ChannelSettings, stream: int, counter: int) -> FaultDraw:
    """Faults of burst `counter` of `stream`; takes a few us, or a few tenths of one if no fault is set.

    Every kind of fault uses a random number of its own, so that enabling one changes no other. A lost burst still
    stalls or resets the link; in a blackout it only is lost.
    """
    if settings.blackout:
        return FaultDraw(0, "blackout = true")
    if not any(_faults_of(settings)):
        return NO_FAULT
    rng = generator(settings.seed, stream, counter, FAULTS)
    alone, in_state, duplicated, reordered, stalled, reset = rng.random(6).tolist()
    cause = _cause(settings, stream, counter, alone, in_state)
    overtaken = reordered < settings.reorder_probability
    return FaultDraw(
        copies=0 if cause else 1 + (duplicated < settings.duplicate_probability),
        cause=cause,
        held_seconds=_delay_seconds(settings, rng) + (settings.reorder_seconds if overtaken else 0.0),
        reordered=overtaken,
        stalled_seconds=settings.stall_seconds if stalled < settings.stall_probability else 0.0,
        reset=reset < settings.reset_probability,
    )


def _cause(settings: ChannelSettings, stream: int, counter: int, alone: float, in_state: float) -> str:
    if alone < settings.loss_probability:
        return f"loss_probability = {settings.loss_probability:g}"
    if is_bad(settings, stream, counter):
        return f"loss_bad = {settings.loss_bad:g} in the bad state" if in_state < settings.loss_bad else ""
    return f"loss_good = {settings.loss_good:g} in the good state" if in_state < settings.loss_good else ""


def _delay_seconds(settings: ChannelSettings, rng: np.random.Generator) -> float:
    """Delay and jitter, clipped at 0.

    uniform: delay -+ jitter. normal: jitter is the standard deviation. exponential: jitter is the mean of an
    additional delay.
    """
    if not settings.jitter_seconds:
        return settings.delay_seconds
    return max(0.0, settings.delay_seconds + settings.jitter_seconds * float(_JITTER[settings.jitter](rng)))


def is_bad(settings: ChannelSettings, stream: int, counter: int) -> bool:
    """Whether the Gilbert-Elliott chain is in its bad state at this burst.

    A Markov chain of two states, p = good_to_bad, q = bad_to_good: a share p / (p + q) of the bursts is bad, in runs
    of geometric length with mean 1/q. (Gilbert, "Capacity of a burst-noise channel", Bell Syst. Tech. J. 39, 1960;
    Elliott, "Estimates of error rates for codes on burst-noise channels", Bell Syst. Tech. J. 42, 1963.)

    The state is found without a walk from burst 0, so bursts may come in any order. One uniform u per burst drives the
    chain: from good to bad if u < p, from bad to bad if u < 1 - q. If both agree, u forces the state regardless of the
    previous one; otherwise the state stays (p < 1 - q) or toggles. So it suffices to search back to the last forcing
    u. (Propp, Wilson, "Exact sampling with coupled Markov chains", Random Struct. Algorithms 9, 1996.)
    """
    p, q = settings.good_to_bad, settings.bad_to_good
    return p > 0 and bool(_states(settings.seed, stream, p, q, counter // _BLOCK)[counter % _BLOCK])


@lru_cache(maxsize=1024)
def _states(seed: int, stream: int, p: float, q: float, block: int) -> Bools:
    """Whether each burst of a block is bad: [_BLOCK]."""
    forced, bad = _forcing(seed, stream, p, q, block)
    position = np.arange(_BLOCK)
    last = np.maximum.accumulate(np.where(forced, position, -1))
    start = bad[last]
    if not forced[0]:
        start[last < 0] = _end(seed, stream, p, q, block - 1)
    states: Bools = start ^ _turned(p, q, position - last)
    return states


def _end(seed: int, stream: int, p: float, q: float, block: int) -> bool:
    """The state at the last burst of a block."""
    forced, bad = _forcing(seed, stream, p, q, block)
    while not forced.any():  # ends at the start of the epoch; blocks are even, so skipping one toggles nothing
        block -= block % _EPOCH_BLOCKS if p + q == 2 else 1  # p = q = 1 forces only there
        forced, bad = _forcing(seed, stream, p, q, block)
    last = np.flatnonzero(forced)[-1]
    return bool(bad[last] ^ _turned(p, q, _BLOCK - 1 - last))


def _turned(p: float, q: float, steps: npt.NDArray[np.intp]) -> Bools:
    """Whether so many steps without forcing toggle the state."""
    odd: Bools = steps % 2 == 1
    return odd & (p > 1 - q)


def _forcing(seed: int, stream: int, p: float, q: float, block: int) -> tuple[Bools, Bools]:
    """Bursts of a block that force the state, and whether to bad: [_BLOCK] each. An epoch starts in equilibrium."""
    u = generator(seed, stream, block, GILBERT_ELLIOTT).random(_BLOCK)
    bad = u < min(p, 1 - q)
    forced = bad | (u >= max(p, 1 - q))
    if block % _EPOCH_BLOCKS == 0:
        forced[0], bad[0] = True, u[0] < p / (p + q)
    return forced, bad
