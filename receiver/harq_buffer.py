"""HARQ buffer: the equalized payloads of a session's earlier rounds (incremental redundancy).

burst of a session --x_hat, n0_eff--> kept by its offset in the codeword
                                        |
all parts up to this one, in order <----'
"""

from collections.abc import Callable, Mapping
from threading import Lock
from time import monotonic
from typing import NamedTuple

import numpy as np

from receiver.sessions import Sessions
from shared.errors import Mismatch
from shared.frame.burst import Burst
from shared.types import Complex, Floats


class Part(NamedTuple):
    """Equalized payload of one burst, or of several in a row. x_hat: [n], complex64. n0_eff: [n], float32."""

    x_hat: Complex
    n0_eff: Floats


class HarqBuffer:
    """The parts of each session, by their offset, so a duplicate replaces itself. Arguments: those of `Sessions`."""

    def __init__(self, most: int, seconds: float, clock: Callable[[], float] = monotonic) -> None:
        self._sessions: Sessions[Part] = Sessions(most, seconds, clock)
        self._lock = Lock()  # of both lanes of the decoder

    def __len__(self) -> int:
        return len(self._sessions)

    def join(self, burst: Burst, part: Part) -> Part:
        """Keep the part of a burst, and return all parts of its session up to it; of a burst alone, itself.

        Raises Mismatch when an earlier one is not here.
        """
        if not burst.session:
            return part
        with self._lock:
            earlier = self._earlier(burst, self._sessions.parts(burst))
            self._sessions.keep(burst, burst.offset_symbols, part)
        return Part(*(np.concatenate(column) for column in zip(*earlier, part, strict=True)))

    def _earlier(self, burst: Burst, parts: Mapping[int, Part]) -> list[Part]:
        """The parts that lead up to a burst."""
        found: list[Part] = []
        reached = 0
        while reached < burst.offset_symbols and (part := parts.get(reached)) is not None:
            found.append(part)
            reached += part.x_hat.size
        if reached != burst.offset_symbols:
            raise Mismatch(
                f"session {burst.session} of codec {burst.codec.codec} holds {reached} symbols here, the burst begins "
                f"at {burst.offset_symbols}; {self._sessions.how_long()}: send the picture again from its beginning"
            )
        return found
