"""Frequency-selective fading: the tapped delay lines TDL-A to TDL-E of 3GPP TR 38.901.

    bodies --FFT--> X[s, k] --.-- path 1: exp(-j 2 pi f_k tau_1) --IFFT, prefix--> x a_1(t) --.
                              |                                                               + --> samples
                              '-- path P: exp(-j 2 pi f_k tau_P) --IFFT, prefix--> x a_P(t) --'

Each path delays the subcarriers by its tau, including fractions of a sample: a sum of subcarriers is periodic, so
within the cyclic prefix the delay is exact, H[k] = sum_p a_p exp(-j 2 pi f_k tau_p). An echo later than the prefix
carries the end of the previous OFDM symbol: inter-symbol interference.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from shared.phy.channel.jakes import line_of_sight, scattered
from shared.phy.channel.ofdm import bodies, to_frequency, to_time, with_prefix
from shared.phy.channel.stage import Draw, Drawn, Signal, Stage
from shared.phy.conditions.settings import ChannelSettings, Grid
from shared.phy.randomness import standard_complex_normal
from shared.types import Complex, Doubles


class Profile(NamedTuple):
    """A power-delay profile.

    delays: [P], normalized to an RMS delay spread of 1. powers: [P], they add up to 1. line_of_sight: whether the first
    path is a line of sight, which does not fade.
    """

    delays: Doubles
    powers: Doubles
    line_of_sight: bool


def _profile(delays: list[float], powers_db: list[float], *, line_of_sight: bool = False) -> Profile:
    powers = 10 ** (np.array(powers_db) / 10)
    return Profile(np.array(delays), powers / powers.sum(), line_of_sight)


# fmt: off
PROFILES: Final = {  # TR 38.901 V16.1.0, tables 7.7.2-1 to 7.7.2-5
    "tdl-a": _profile(
        [0.0000, 0.3819, 0.4025, 0.5868, 0.4610, 0.5375, 0.6708, 0.5750, 0.7618, 1.5375, 1.8978, 2.2242,
         2.1718, 2.4942, 2.5119, 3.0582, 4.0810, 4.4579, 4.5695, 4.7966, 5.0066, 5.3043, 9.6586],
        [-13.4, 0.0, -2.2, -4.0, -6.0, -8.2, -9.9, -10.5, -7.5, -15.9, -6.6, -16.7,
         -12.4, -15.2, -10.8, -11.3, -12.7, -16.2, -18.3, -18.9, -16.6, -19.9, -29.7],
    ),
    "tdl-b": _profile(
        [0.0000, 0.1072, 0.2155, 0.2095, 0.2870, 0.2986, 0.3752, 0.5055, 0.3681, 0.3697, 0.5700, 0.5283,
         1.1021, 1.2756, 1.5474, 1.7842, 2.0169, 2.8294, 3.0219, 3.6187, 4.1067, 4.2790, 4.7834],
        [0.0, -2.2, -4.0, -3.2, -9.8, -1.2, -3.4, -5.2, -7.6, -3.0, -8.9, -9.0,
         -4.8, -5.7, -7.5, -1.9, -7.6, -12.2, -9.8, -11.4, -14.9, -9.2, -11.3],
    ),
    "tdl-c": _profile(
        [0.0000, 0.2099, 0.2219, 0.2329, 0.2176, 0.6366, 0.6448, 0.6560, 0.6584, 0.7935, 0.8213, 0.9336,
         1.2285, 1.3083, 2.1704, 2.7105, 4.2589, 4.6003, 5.4902, 5.6077, 6.3065, 6.6374, 7.0427, 8.6523],
        [-4.4, -1.2, -3.5, -5.2, -2.5, 0.0, -2.2, -3.9, -7.4, -7.1, -10.7, -11.1,
         -5.1, -6.8, -8.7, -13.2, -13.9, -13.9, -15.8, -17.1, -16.0, -15.7, -21.6, -22.8],
    ),
    "tdl-d": _profile(
        [0.000, 0.000, 0.035, 0.612, 1.363, 1.405, 1.804, 2.596, 1.775, 4.042, 7.937, 9.424, 9.708, 12.525],
        [-0.2, -13.5, -18.8, -21.0, -22.8, -17.9, -20.1, -21.9, -22.9, -27.8, -23.6, -24.8, -30.0, -27.7],
        line_of_sight=True,
    ),
    "tdl-e": _profile(
        [0.0000, 0.0000, 0.5133, 0.5440, 0.5630, 0.5440, 0.7112, 1.9092, 1.9293, 1.9589, 2.6426, 3.7136,
         5.4524, 12.0034, 20.6519],
        [-0.03, -22.03, -15.8, -18.1, -19.8, -22.9, -22.4, -18.6, -20.8, -22.6, -22.3, -25.6,
         -20.2, -29.8, -29.2],
        line_of_sight=True,
    ),
}
# fmt: on


class Paths(NamedTuple):
    """Delay of each path.

    lag: [P], whole samples, the delay rounded up. advance: [P, N], complex64, phases that correct the rounding.
    phases: [P, N], complex64, of the exact delay. late: [P], samples by which the echo exceeds the prefix, 0 to N, in
    which the previous OFDM symbol interferes.
    """

    lag: npt.NDArray[np.intp]
    advance: Complex
    phases: Complex
    late: npt.NDArray[np.intp]


def paths(settings: ChannelSettings) -> Paths:
    """Paths of `settings.fading` for its delay spread, in samples."""
    return _paths(settings.fading, settings.delay_spread_seconds * settings.symbol_rate_hz, grid_of(settings))


@lru_cache(maxsize=64)  # 26 kB each with 64 subcarriers
def _paths(fading: str, spread_samples: float, grid: Grid) -> Paths:
    delays = PROFILES[fading].delays * spread_samples
    lag = np.ceil(delays).astype(np.intp)
    return Paths(
        lag,
        _turned(lag - delays, grid),
        _turned(-delays, grid),
        np.clip(lag - grid.cyclic_prefix_symbols, 0, grid.fft_size),
    )


def _turned(samples: Doubles, grid: Grid) -> Complex:
    """exp(j 2 pi f_k t) of every subcarrier, lowest frequency first, f_k from -1/2 to 1/2 of the rate: [P, N]."""
    frequencies = np.arange(grid.fft_size) / grid.fft_size - 0.5
    phases: Complex = np.exp(2j * np.pi * np.outer(samples, frequencies)).astype(np.complex64)
    return phases


def grid_of(settings: ChannelSettings) -> Grid:
    """The OFDM grid; `ChannelSettings` requires one for frequency-selective fading."""
    assert settings.grid is not None, f"{settings.fading} needs waveform ofdm"
    return settings.grid


class TappedDelayLine(Stage):
    """Paths with fixed delays and independent gains, total mean power 1, so E|H[k]|^2 = 1.

    Every path is Rayleigh, constant for a burst or with Clarke's spectrum; TDL-D and TDL-E have a line of sight in
    addition, with the first path's delay. (3GPP TR 38.901, section 7.7.2; delays scaled as in section 7.7.3.)
    """

    def draw(self, draw: Draw, settings: ChannelSettings, n: int) -> Drawn:
        """Draw the gain of each path: [P, 1] or, in motion, [P, n], complex64."""
        profile = PROFILES[settings.fading]
        if settings.doppler_hz:
            gains = np.stack([scattered(draw, settings, n, path) for path in range(profile.powers.size)])
        else:
            gains = (standard_complex_normal(draw.rng, profile.powers.size) * np.float32(0.5**0.5))[:, None]
        if profile.line_of_sight:
            gains[0] = line_of_sight(draw, settings, n)
        return gains * np.sqrt(profile.powers).astype(np.float32)[:, None]

    def apply(self, signal: Signal, drawn: Drawn, settings: ChannelSettings) -> Signal:
        """Sum the signals of all paths."""
        through, grid = paths(settings), grid_of(settings)
        noise = None if signal.noise is None else _over_paths(grid, signal.noise, through, drawn)
        response = _response(grid, through, drawn, signal.wanted.shape[1] // sum(grid))
        wanted = _over_paths(grid, signal.wanted, through, drawn)
        return signal._replace(wanted=wanted, noise=noise, response=response)


def _over_paths(grid: Grid, samples: Complex, through: Paths, gains: Complex) -> Complex:
    """Sum over the paths of gain times delayed samples: [B, n]. gains: [B, P, 1] or [B, P, n]."""
    subcarriers = to_frequency(bodies(grid, samples))
    received = np.zeros_like(samples)
    for lag, filters, factor in _branches(through, gains):
        room = samples.shape[1] - lag
        if room > 0:  # else this echo arrives after the burst
            delayed = with_prefix(grid, to_time(subcarriers * filters))
            received[:, lag:] += delayed[:, :room] * factor[:, -room:]
    return received


def _branches(through: Paths, gains: Complex) -> Iterator[tuple[int, Complex, Complex]]:
    """For each lag in samples: filters of the subcarriers, [B, 1, N], and factors of the samples, [B, 1 or n].

    Static paths are filters, and all static paths of one lag are one filter.
    """
    if gains.shape[2] > 1:
        for path, lag in enumerate(through.lag):
            yield int(lag), through.advance[path], gains[:, path]
        return
    for lag in np.unique(through.lag):
        filters = sum(gains[:, path] * through.advance[path] for path in np.flatnonzero(through.lag == lag))
        yield int(lag), np.asarray(filters)[:, None], np.ones((1, 1), np.complex64)


def _response(grid: Grid, through: Paths, gains: Complex, count: int) -> Complex:
    """H[s, k] of `count` OFDM symbols: [B, S N]. gains: [B, P, 1] or [B, P, n]."""
    response = np.zeros((len(gains), count, grid.fft_size), np.complex64)
    for path, phases in enumerate(through.phases):
        response += _own_part(grid, through, gains[:, path], path)[..., None] * phases
    return response.reshape(len(gains), -1)


def _own_part(grid: Grid, through: Paths, gain: Complex, path: int) -> Complex:
    """Mean gain of a path over the part of the window that holds the same OFDM symbol: [B, 1] or [B, S]."""
    late, size = through.late[path], grid.fft_size
    if gain.shape[1] == 1:
        return gain * np.float32(1 - late / size)
    means: Complex = bodies(grid, gain)[..., late:].sum(axis=2) / np.float32(size)
    return means
