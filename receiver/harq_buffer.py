"""HARQ buffer: the equalized payloads of a session's earlier rounds (incremental redundancy).

burst of a session --x_hat, n0_eff--> kept by its offset in the codeword
                                        |
all parts up to this one, in order <----'
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import NamedTuple

import numpy as np

from shared.errors import Mismatch
from shared.frame.burst import Burst
from shared.types import Complex, Floats


class Part(NamedTuple):
    """Equalized payload of one burst, or of several in a row. x_hat: [n], complex64. n0_eff: [n], float32."""

    x_hat: Complex
    n0_eff: Floats


@dataclass
class _Session:
    used_at: float
    parts: dict[int, Part] = field(default_factory=dict)  # by offset, so a duplicate replaces itself


class HarqBuffer:
    """The parts of each session; used by one thread.

    most: sessions held; beyond it the least recently used one is dropped. seconds: an unused session is dropped after
    so many. clock: seconds.
    """

    def __init__(self, most: int, seconds: float, clock: Callable[[], float] = monotonic) -> None:
        self._most, self._seconds, self._clock = most, seconds, clock
        self._held: OrderedDict[tuple[int, str], _Session] = OrderedDict()  # least recently used first

    def __len__(self) -> int:
        return len(self._held)

    def join(self, burst: Burst, part: Part) -> Part:
        """Keep the part of a burst, and return all parts of its session up to it; of a burst alone, itself.

        Raises Mismatch when an earlier one is not here.
        """
        if not burst.session:
            return part
        self._drop_old()
        name = (burst.session, burst.codec.codec)
        session = self._held.get(name) or _Session(self._clock())
        earlier = self._earlier(burst, session)
        session.parts[burst.offset_symbols] = part
        session.used_at = self._clock()
        self._held[name] = session
        self._held.move_to_end(name)
        if len(self._held) > self._most:
            self._held.popitem(last=False)
        return Part(*(np.concatenate(column) for column in zip(*earlier, part, strict=True)))

    def _earlier(self, burst: Burst, session: _Session) -> list[Part]:
        """The parts that lead up to a burst."""
        found: list[Part] = []
        reached = 0
        while reached < burst.offset_symbols and (part := session.parts.get(reached)) is not None:
            found.append(part)
            reached += part.x_hat.size
        if reached != burst.offset_symbols:
            raise Mismatch(
                f"session {burst.session} of codec {burst.codec.codec} holds {reached} symbols here, the burst begins "
                f"at {burst.offset_symbols}; sessions are kept for {self._seconds:g} s, {self._most} of them, by the "
                "receiver that got their beginning: send the picture again from its beginning"
            )
        return found

    def _drop_old(self) -> None:
        oldest = self._clock() - self._seconds
        while self._held and next(iter(self._held.values())).used_at < oldest:
            self._held.popitem(last=False)
