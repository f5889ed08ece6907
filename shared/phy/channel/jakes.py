"""Time-variant fading: a receiver in motion, with waves from all directions (Clarke's model).

    h(t) = 1/sqrt(M) sum_m exp(j (2 pi f_D cos(alpha_m) t + phi_m))         M = 64 waves

alpha_m, the angle of arrival, is uniform over the m-th of M equal sectors, phi_m uniform over the circle; both are
drawn once per stream. So E|h|^2 = 1, h is complex Gaussian to 1/M in its fourth moment, and its autocorrelation
is J0(2 pi f_D tau), Clarke's, within a burst and from burst to burst, while the settings stay the same: a new f_D,
symbol rate or interval changes the phases of the waves.
(Clarke, "A statistical theory of mobile-radio reception", Bell Syst. Tech. J. 47, 1968. Xiao, Zheng, Beaulieu, "Novel
sum-of-sinusoids simulation models for Rayleigh and Rician fading channels", IEEE Trans. Wireless Commun. 5, 2006.)

For speed, time is split into blocks of 32 symbols: exp(j w (t_block + t)) = exp(j w t_block) exp(j w t). The second
factor is the same for all bursts of a stream; a block costs M phasors and a vector-matrix product. The products are
computed block by block because the rounding of large matrix products depends on the number of BLAS threads.
"""

from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np

from shared.phy.channel.phase import Turns, phasor, turns_at
from shared.phy.channel.stage import Draw
from shared.phy.conditions.settings import ChannelSettings
from shared.types import Complex

WAVES: Final = 64
LINE_OF_SIGHT: Final = 0.7
"""Doppler shift of the line of sight over the greatest one (3GPP TR 38.901, section 7.7.2)."""
_BLOCK: Final = 32
_LINE_OF_SIGHT_PATH: Final = 1 << 32


class _Waves(NamedTuple):
    """hz: [M], float64. turns: [M], float64, phase at time 0. block: [M, 32], complex64, exp(j w t) / sqrt(M)."""

    hz: Turns
    turns: Turns
    block: Complex


def scattered(draw: Draw, settings: ChannelSettings, n: int, path: int = 0) -> Complex:
    """Gains of the n symbols of a burst, h ~ CN(0, 1) with Clarke's autocorrelation: [n], complex64.

    path: number of the process, 0 to 2^32 - 1; those of two paths, stages, streams or seeds are independent.
    """
    waves = _waves(draw.of_stream(), path, settings.doppler_hz, settings.symbol_rate_hz)
    begin = waves.turns + turns_at(draw.counter, draw.interval_seconds, waves.hz)
    blocks = np.arange(-(-n // _BLOCK))[:, None]
    per_block = np.fmod(waves.hz * (_BLOCK / settings.symbol_rate_hz), 1.0)
    gains: Complex = phasor(begin + blocks * per_block)[:, None] @ waves.block
    return gains.reshape(-1)[:n]


def line_of_sight(draw: Draw, settings: ChannelSettings, n: int) -> Complex:
    """Gain of the line of sight, |h| = 1, its phase drawn once per stream: complex64.

    [1], the same for all bursts, without motion; else [n] with the Doppler shift 0.7 f_D.
    """
    if not settings.doppler_hz:
        return phasor(_phase(draw.of_stream()))
    hz = np.array([LINE_OF_SIGHT * settings.doppler_hz])
    begin = _phase(draw.of_stream()) + turns_at(draw.counter, draw.interval_seconds, hz)
    return phasor(begin + np.arange(n) * np.fmod(hz / settings.symbol_rate_hz, 1.0))


@lru_cache(maxsize=4096)
def _phase(stream: Draw) -> Turns:
    return stream.shared(_LINE_OF_SIGHT_PATH).random(1)


@lru_cache(maxsize=256)  # 17 kB each
def _waves(stream: Draw, path: int, doppler_hz: float, symbol_rate_hz: float) -> _Waves:
    rng = stream.shared(path)
    arrival = (np.arange(WAVES) + rng.random(WAVES)) / WAVES
    hz = doppler_hz * np.cos(2 * np.pi * arrival)
    block = phasor(np.fmod(hz / symbol_rate_hz, 1.0)[:, None] * np.arange(_BLOCK))
    return _Waves(hz, rng.random(WAVES), block / np.float32(WAVES**0.5))
