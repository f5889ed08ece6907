"""What a stage of the link is.

            rng, settings, n
                  |
              +-------+
              | draw  |   randomness only, never sees the symbols
              +-------+
                  | drawn
              +-------+
    signal -->| apply |--> signal      arithmetic only, never draws
              +-------+

A new stage is a class in a file of its own and a row in `registry`; a fading stage's name goes into `FadingName` too.
"""

from typing import NamedTuple, Protocol

import numpy as np

from shared.channel.settings import ChannelSettings
from shared.symbols import Complex


class Signal(NamedTuple):
    """A burst under way: the wanted part and the noise apart, so that their powers are known at the end.

    wanted: [n], complex64, h x. noise: [n], complex64, n; None as long as no stage has added any.
    gain: h, what has multiplied every symbol so far.
    """

    wanted: Complex
    noise: Complex | None = None
    gain: complex = 1 + 0j

    @property
    def received(self) -> Complex:
        """Received symbols, y = h x + n: [n], complex64."""
        return self.wanted if self.noise is None else self.wanted + self.noise


class Stage(Protocol):
    """One effect of the channel. It has no state: what it draws depends on its arguments alone."""

    def draw(self, rng: np.random.Generator, settings: ChannelSettings, n: int) -> Complex:
        """Draw all that is random for a burst of `n` symbols: complex64, in a shape that `apply` knows."""
        ...

    def apply(self, signal: Signal, drawn: Complex) -> Signal:
        """Return the burst after this stage; leaves the arrays of `signal` as they are."""
        ...
