"""Channel tracking: estimates a gain that changes from symbol to symbol, from scattered pilots.

    y_m conj(p_m) = h[m] + noise --> model selection --> Wiener filter --> h_hat of every symbol, N0, their error
                                     delay spread, Doppler, SNR: maximum likelihood

The receiver has no side information about the channel. It assumes that h is complex Gaussian with

    E[h[m] h[m']*] = P r_f(k - k') r_t(t - t')
    r_f(k) = 1 / (1 + j 2 pi k tau / N)     exponential power-delay profile, mean delay tau samples
    r_t(t) = J0(2 pi f t)                   Clarke's model, f the greatest Doppler shift

k is the subcarrier of a symbol and t its time; on a single carrier k is the same for all. The hypotheses
are a grid of tau, f and N0/P. The most likely of them (type II maximum likelihood) defines the filter:

    h_hat = R_n (R_p + N0/P I)^-1 g,   E|h - h_hat|^2 = P - P diag(R_n (R_p + N0/P I)^-1 R_n^H)

g: least-squares gains at the pilots. So a static channel is averaged over all pilots, and a varying one is tracked
as far as the density of the pilots allows. (Hoeher, Kaiser, Robertson, "Two-dimensional pilot-symbol-aided channel
estimation by Wiener filtering", ICASSP 1997. MacKay, "Bayesian interpolation", Neural Computation 4, 1992.)

Measured over Rayleigh fading with Clarke's motion and TDL-C: its squared error is 1 to 9 dB below that of linear
interpolation between the pilots. With 32 pilots N0 is accurate to 10 %, with 8 to 30 %; with 4 it is hardly known.
"""

from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from shared.errors import InvalidSymbols
from shared.phy.channel.ofdm import ofdm_symbols
from shared.phy.conditions.settings import Grid
from shared.phy.receive.estimation import ChannelEstimate
from shared.phy.receive.pilots import PilotPattern, pilot_positions, pilot_sequence
from shared.types import Complex, Doubles, Floats

MAX_PILOTS: Final = 256
MAX_PRODUCT: Final = 1 << 22
"""Largest pilots x symbols of a burst: the size of the filter matrix."""
_TAUS: Final = (0.0, 0.25, 1.0, 4.0)
"""Hypotheses of the delay spread, samples."""
_TURNS: Final = (0.0, 0.1, 0.3, 1.0, 3.0, 9.0, 27.0, 81.0)
"""Hypotheses of the Doppler shift, cycles per burst; those too fast for the pilot spacing are left out."""
_N0_OVER_P: Final = 10 ** (-np.arange(-10, 61, 2.5) / 10)
_SNR_DB: Final = (10.0, 15.0)
"""Mean and standard deviation of the prior of the SNR: without a prior, 4 pilots fit any model."""
_PENALTY: Final = 1.0
"""Log-likelihood penalty of echoes and of motion each: without it 8 pilots find both in pure noise."""
_ANGLES: Final = (np.arange(64) + 0.5) / 64 * np.pi

_Complexes = npt.NDArray[np.complex128]


class _Layout(NamedTuple):
    """Positions of pilots and symbols of a burst."""

    pilots: int
    symbols: int
    pilot_pattern: PilotPattern
    grid: Grid | None


class _Model(NamedTuple):
    """One channel hypothesis. tau: delay spread, samples. doppler: greatest Doppler shift, cycles per symbol."""

    tau: float
    doppler: float


class _Trials(NamedTuple):
    """All channel hypotheses of a layout, prepared for comparison.

    models: M of them. basis: [M, p, p], eigenvectors of R_p as rows, conjugate. weights: [M, E, p], 1 / (eigenvalue +
    N0/P), for each of E values of N0/P. log_prior: [M, E], the part of the log-likelihood that does not depend on the
    received pilots.
    """

    models: tuple[_Model, ...]
    basis: _Complexes
    weights: Doubles
    log_prior: Doubles


def check_trackable(pilots: int, symbols: int) -> None:
    """Raise InvalidSymbols unless `track_channel` supports so many pilots in a burst of so many symbols."""
    if not 2 <= pilots <= MAX_PILOTS or pilots * symbols > MAX_PRODUCT:
        raise InvalidSymbols(
            f"{pilots} pilots in a burst of {symbols} symbols: tracking takes 2 to {MAX_PILOTS} pilots, and "
            f"pilots x symbols up to {MAX_PRODUCT}; send fewer pilots, or a preamble on a single carrier"
        )


def track_channel(y: Complex, pilots: int, pilot_pattern: PilotPattern, grid: Grid | None = None) -> ChannelEstimate:
    """Estimate the gain of every symbol and the noise power of each burst.

    y: [B, n], complex64, all symbols, pilots included. grid: of OFDM, or None for a single carrier.
    Returns an estimate with gain and error [B, n]. Raises InvalidSymbols as `check_trackable` does.
    """
    check_trackable(pilots, y.shape[1])
    layout = _Layout(pilots, y.shape[1], pilot_pattern, grid)
    at_pilots = y[:, pilot_positions(pilots, y.shape[1], pilot_pattern)] * pilot_sequence(pilots).conj()
    gains, n0, errors = zip(*(_track_one(one, layout) for one in at_pilots.astype(np.complex128)), strict=True)
    return ChannelEstimate(np.stack(gains), np.array(n0, np.float32), np.stack(errors))


def _track_one(at_pilots: _Complexes, layout: _Layout) -> tuple[Complex, float, Floats]:
    """One burst alone, so that the result does not depend on the batch: h_hat [n], N0, E|h - h_hat|^2 [n].

    einsum, not @: these products are small, and BLAS threads would cost more than they save and change the rounding.
    """
    trials = _trials(layout)
    seen = np.einsum("mij,j->mi", trials.basis, at_pilots)
    power = np.einsum("mi,mei->me", np.abs(seen) ** 2, trials.weights) / layout.pilots
    power = np.maximum(power, np.finfo(np.float64).tiny)  # a burst without power
    likelihood = trials.log_prior - layout.pilots * np.log(power)
    number, level = np.unravel_index(np.argmax(likelihood), likelihood.shape)
    p, n0_over_p, loading = power[number, level], _N0_OVER_P[level], trials.weights[number, level]
    reach = _reach(layout, trials.models[number])
    gain = np.einsum("ni,i->n", reach, (seen[number] * loading).astype(np.complex64))
    known = np.einsum("ni,i->n", np.abs(reach) ** 2, loading.astype(np.float32))
    return gain, float(n0_over_p * p), (p * np.maximum(1 - known, 0)).astype(np.float32)


@lru_cache(maxsize=32)
def _trials(layout: _Layout) -> _Trials:
    models = _models(layout)
    places = pilot_positions(layout.pilots, layout.symbols, layout.pilot_pattern)
    eigen = [np.linalg.eigh(_correlation(layout.grid, model, places, places)) for model in models]
    powers = np.maximum([values for values, _ in eigen], 0)
    weights = 1 / (powers[:, None] + _N0_OVER_P[:, None])
    basis = np.stack([vectors.conj().T for _, vectors in eigen])
    idea = -0.5 * ((-10 * np.log10(_N0_OVER_P) - _SNR_DB[0]) / _SNR_DB[1]) ** 2
    effects = np.array([(model.tau > 0) + (model.doppler > 0) for model in models])
    return _Trials(models, basis, weights, idea - _PENALTY * effects[:, None] + np.log(weights).sum(axis=2))


def _models(layout: _Layout) -> tuple[_Model, ...]:
    """Echoes are observable on subcarriers only, motion only with symbols at two or more times."""
    grid = layout.grid
    taus = (0.0,) if grid is None else _TAUS
    still = grid is not None and ofdm_symbols(grid, layout.symbols) == 1
    turns = [0.0] if still else [turn for turn in _TURNS if 3 * turn <= layout.pilots]
    return tuple(_Model(tau, turn / layout.symbols) for tau in taus for turn in turns)


@lru_cache(maxsize=16)
def _reach(layout: _Layout, model: _Model) -> Complex:
    """R_n in the eigenvectors of R_p: [n, p], complex64, at most 32 MiB."""
    trials = _trials(layout)
    places = pilot_positions(layout.pilots, layout.symbols, layout.pilot_pattern)
    correlation = _correlation(layout.grid, model, np.arange(layout.symbols), places)
    reach: Complex = (correlation @ trials.basis[trials.models.index(model)].conj().T).astype(np.complex64)
    return reach


def _correlation(
    grid: Grid | None, model: _Model, here: npt.NDArray[np.intp], there: npt.NDArray[np.intp]
) -> _Complexes:
    """E[h[here] h[there]*] / P: [here, there]."""
    if grid is None:
        return _in_time(model, here[:, None] - there).astype(np.complex128)
    apart = (here[:, None] // grid.fft_size - there // grid.fft_size) * grid.fft_size
    across = (here[:, None] % grid.fft_size - there % grid.fft_size) / grid.fft_size
    return _in_time(model, apart) / (1 + 2j * np.pi * across * model.tau)


def _in_time(model: _Model, apart: npt.NDArray[np.intp]) -> Doubles:
    """J0(2 pi f t), as the mean over the angles of arrival."""
    lags, back = np.unique(np.abs(apart), return_inverse=True)
    means: Doubles = np.cos(2 * np.pi * model.doppler * lags[:, None] * np.cos(_ANGLES)).mean(axis=1)
    return np.reshape(means[back], apart.shape)
