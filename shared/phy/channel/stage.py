"""Interface of a stage of the link.

            Draw (seed, stream, counter, stage), settings, n
                  |
              +-------+
              | draw  |   randomness only, without the symbols; once per burst
              +-------+
                  | drawn
              +-------+
    signal -->| apply |--> signal      arithmetic only, no randomness; once per batch
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
"""Offset of a stage's number for draws that several bursts share; avoids collisions with draws of single bursts."""


class Draw(NamedTuple):
    """Source of the random numbers of one stage for one burst.

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
        """Random numbers shared by all bursts of the stream with the same `group`."""
        return generator(self.seed, self.stream, group, self.stage + _SHARED)

    def of_stream(self) -> "Draw":
        """The same value for all bursts of the stream, so that results derived from it can be cached."""
        return Draw(self.seed, self.stream, 0, self.stage, 0.0)


class Signal(NamedTuple):
    """A batch of bursts inside the link, with the wanted signal and the noise kept apart to measure their powers.

    wanted: [B, n], complex64, h x. noise: [B, n], complex64, noise and distortion; None if there is none yet.
    gain: [B, 1] or [B, n], complex64, h, product of all gains so far. response: [B, S N], complex64,
    further gain of each subcarrier in frequency-selective fading; None for a flat channel. launched: [B, n],
    complex64, output of the amplifier; None for an ideal amplifier.
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
        """Multiply signal and noise by `gain` [B, 1] or [B, n]."""
        noise = None if self.noise is None else self.noise * gain
        return self._replace(wanted=self.wanted * gain, noise=noise, gain=self.gain * gain)

    def plus(self, noise: Complex) -> "Signal":
        """Add `noise` [B, n]."""
        return self._replace(noise=noise if self.noise is None else self.noise + noise)

    def distorted(self, output: Complex | npt.NDArray[np.complex128]) -> "Signal":
        """The bursts after a non-linear component whose output is `output` [B, n], by Bussgang's decomposition.

            output = a r + d,   a = sum conj(r) output / sum |r|^2

        The distortion d is uncorrelated with r over the burst: a is a gain that pilots include, d counts as noise.
        (Bussgang, "Crosscorrelation functions of amplitude-distorted Gaussian signals", MIT RLE report 216, 1952.)
        """
        received = self.received.astype(np.complex128)
        power = np.sum(received.real**2 + received.imag**2, axis=-1, keepdims=True)
        overlap = np.sum(received.conj() * output, axis=-1, keepdims=True)
        gain = np.divide(overlap, power, out=np.ones_like(overlap), where=power > 0).astype(np.complex64)
        return self.times(gain).plus((output - gain * received).astype(np.complex64))


class Stage(Protocol):
    """One effect of the channel. It is stateless: its draws depend on its arguments alone."""

    def draw(self, draw: Draw, settings: ChannelSettings, n: int) -> Drawn:  # noqa: ARG002
        """Random numbers of a burst of `n` samples, in a shape that depends on settings and n alone; [0] for none."""
        return np.empty(0)

    def apply(self, signal: Signal, drawn: Drawn, settings: ChannelSettings) -> Signal:
        """Return the bursts after this stage; must not modify the arrays of `signal`.

        drawn: [B, ...], one row for each burst.
        """
        ...


class Gain(Stage):
    """A stage that multiplies by its draw h: [1] or [n]."""

    def apply(self, signal: Signal, drawn: Drawn, settings: ChannelSettings) -> Signal:  # noqa: ARG002
        """Multiply by h."""
        return signal.times(drawn)


class Noise(Stage):
    """A stage that adds its draw: [n]."""

    def apply(self, signal: Signal, drawn: Drawn, settings: ChannelSettings) -> Signal:  # noqa: ARG002
        """Add the noise."""
        return signal.plus(drawn)
