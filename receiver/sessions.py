"""What is kept of sessions between their bursts: the least recently used ones, and old ones, are dropped."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Generic, TypeVar

from shared.frame.burst import Burst

Kept = TypeVar("Kept")


@dataclass
class _Session(Generic[Kept]):
    used_at: float
    parts: dict[int, Kept]


class Sessions(Generic[Kept]):
    """Numbered parts of each session, one codec's; used by one thread at a time.

    most: sessions held. seconds: an unused session is dropped after so many. clock: seconds.
    """

    def __init__(self, most: int, seconds: float, clock: Callable[[], float] = monotonic) -> None:
        self._most, self._seconds, self._clock = most, seconds, clock
        self._held: OrderedDict[tuple[int, str], _Session[Kept]] = OrderedDict()  # least recently used first

    def __len__(self) -> int:
        return len(self._held)

    def parts(self, burst: Burst) -> dict[int, Kept]:
        """All parts of a burst's session; none of one that is not held."""
        self._drop_old()
        session = self._held.get(_name(burst))
        return {} if session is None else session.parts

    def keep(self, burst: Burst, number: int, part: Kept) -> None:
        """Keep a part of a burst's session under a number; one of the same number is replaced."""
        name = _name(burst)
        session = self._held.setdefault(name, _Session(self._clock(), {}))
        session.parts[number] = part
        session.used_at = self._clock()
        self._held.move_to_end(name)
        if len(self._held) > self._most:
            self._held.popitem(last=False)

    def how_long(self) -> str:
        """How many sessions are kept and for how long, for messages."""
        return (
            f"sessions are kept for {self._seconds:g} s, {self._most} of them, by the receiver that got their beginning"
        )

    def _drop_old(self) -> None:
        oldest = self._clock() - self._seconds
        while self._held and next(iter(self._held.values())).used_at < oldest:
            self._held.popitem(last=False)


def _name(burst: Burst) -> tuple[int, str]:
    return burst.session, burst.codec.codec
