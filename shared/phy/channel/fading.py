"""Flat fading: one gain for all frequencies, E|h|^2 = 1.

The gain stays the same over a block of `coherence_symbols` symbols (0: the whole burst, 1: a gain of its own for each
symbol) and is independent from block to block; the first block begins with the burst. With `doppler_hz` it varies
continuously instead, from burst to burst as well; see `jakes`.
"""

from typing import Final

import numpy as np

from shared.phy.channel.jakes import line_of_sight, scattered
from shared.phy.channel.stage import Draw, Drawn, Gain
from shared.phy.conditions.settings import ChannelSettings
from shared.phy.randomness import standard_complex_normal
from shared.types import Complex
from shared.units import db_to_ratio

_PER_DIMENSION: Final = np.float32(np.sqrt(0.5))


class Rayleigh(Gain):
    """Scattered paths only: h ~ CN(0, 1), so |h| is Rayleigh and the phase uniform.

    Re h and Im h are independent N(0, 1/2). (Tse, Viswanath, "Fundamentals of Wireless Communication", eq. 2.53.)
    """

    def draw(self, draw: Draw, settings: ChannelSettings, n: int) -> Drawn:
        """Draw the gain: [1] or [n], complex64."""
        return _scatter(draw, settings, n)


class Rician(Gain):
    """A line of sight and scattered paths: h = sqrt(K/(K+1)) exp(j theta) + sqrt(1/(K+1)) CN(0, 1).

    K = 10^(rician_k_db/10). theta is uniform over the circle, drawn once per stream, and rotates with 0.7 f_D if there
    is motion. (Tse, Viswanath, "Fundamentals of Wireless Communication", eq. 2.54; 3GPP TR 38.901, 7.7.2.)
    """

    def draw(self, draw: Draw, settings: ChannelSettings, n: int) -> Drawn:
        """Draw the gain: [1] or [n], complex64."""
        scatter_power = 1 / (1 + db_to_ratio(settings.rician_k_db))
        straight = np.float32((1 - scatter_power) ** 0.5) * line_of_sight(draw, settings, n)
        return straight + np.float32(scatter_power**0.5) * _scatter(draw, settings, n)


class Kbsc(Gain):
    """The "Rayleigh" channel of arXiv 2504.01053: |h| of a CN(0, 1) for each symbol, real, without a phase.

    No real channel is like this; it reproduces the paper. E|h|^2 = 1.
    """

    def draw(self, draw: Draw, settings: ChannelSettings, n: int) -> Drawn:  # noqa: ARG002
        """Draw the gains: [n], complex64, imaginary part 0, real part 0 or more."""
        return np.abs(_normal(draw, n)).astype(np.complex64)


def _scatter(draw: Draw, settings: ChannelSettings, n: int) -> Complex:
    """Draw CN(0, 1) gains: [1] or [n], complex64."""
    if settings.doppler_hz:
        return scattered(draw, settings, n)
    length = settings.coherence_symbols or n
    blocks = _normal(draw, -(-n // length))
    return blocks if blocks.size in (1, n) else np.repeat(blocks, length)[:n]


def _normal(draw: Draw, n: int) -> Complex:
    """Independent CN(0, 1): [n], complex64."""
    return standard_complex_normal(draw.rng, n) * _PER_DIMENSION
