"""What a stage of the link is.

            Draw (seed, stream, counter, stage), settings, n
                  |
              +-------+
              | draw  |   randomness only, never sees the symbols; once for each burst
              +-------+
                  | drawn
              +-------+
    signal -->| apply |--> signal      arithmetic only, never draws; once for all bursts that wait together
              +-------+

A new stage is a class in a file of its own and a row in `registry`.
"""

from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from shared.phy.conditions.settings import ChannelSettings
from shared.phy.randomness import generator
from shared.types import Complex

Drawn = npt.NDArray[Any]
_SHARED = 1 << 32
"""Added to a stage's number where several bursts share a draw, so that it meets no burst's own."""


class Draw(NamedTuple):
    """Where the randomness of one stage for one burst comes from.

    seed, stream, counter: the burst's name. stage: number in `registry`. interval_seconds: from the start of one burst
    of the stream to the next.
    """

    seed: int
    stream: int
    counter: int
    stage: int
    interval_seconds: float

    @property
    def rng(self) -> np.random.Generator:
        """Random numbers of this burst alone: the same sequence at every call."""
        return generator(self.seed, self.stream, self.counter, self.stage)

    def shared(self, group: int = 0) -> np.random.Generator:
        """Random numbers that all bursts of the stream with the same `group` share."""
        return generator(self.seed, self.stream, group, self.stage + _SHARED)

    def of_stream(self) -> "Draw":
        """The same for all bursts of the stream: what is made of it alone can be kept."""
        return Draw(self.seed, self.stream, 0, self.stage, 0.0)


class Signal(NamedTuple):
    """Bursts under way: the wanted part and the rest apart, so that their powers are known at the end.

    wanted: [B, n], complex64, h x. noise: [B, n], complex64, all that is not wanted; None as long as there is none.
    gain: [B, 1] or [B, n], complex64, h, what has multiplied the symbols so far. response: [B, S N], complex64, what a
    frequency-selective stage has multiplied each subcarrier by besides; None where all are alike. launched: [B, n],
    complex64, what left the amplifier; None where it is ideal.
    """

    wanted: Complex
    noise: Complex | None
    gain: Complex
    response: Complex | None = None
    launched: Complex | None = None

    @property
    def received(self) -> Complex:
        """Received symbols, y = h x + n: [B, n], complex64."""
        return self.wanted if self.noise is None else self.wanted + self.noise

    def times(self, gain: Complex) -> "Signal":
        """Multiply by `gain` [B, 1] or [B, n] all that has entered, noise that is already there included."""
        noise = None if self.noise is None else self.noise * gain
        return self._replace(wanted=self.wanted * gain, noise=noise, gain=self.gain * gain)

    def plus(self, noise: Complex) -> "Signal":
        """Add `noise` [B, n]."""
        return self._replace(noise=noise if self.noise is None else self.noise + noise)


class Stage(Protocol):
    """One effect of the channel. It has no state: what it draws depends on its arguments alone."""

    def draw(self, draw: Draw, settings: ChannelSettings, n: int) -> Drawn:
        """Draw all that is random for a burst of `n` samples, in a shape that depends on settings and n alone."""
        ...

    def apply(self, signal: Signal, drawn: Drawn, settings: ChannelSettings) -> Signal:
        """Return the bursts after this stage; leaves the arrays of `signal` as they are.

        drawn: [B, ...], one row for each burst.
        """
        ...
