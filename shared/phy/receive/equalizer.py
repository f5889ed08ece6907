"""One-tap equalizers: estimates of the sent symbols from received symbols, gain and noise power."""

from typing import Final, Literal, TypeVar, get_args

import numpy as np
import numpy.typing as npt

from shared.errors import InvalidSetting, InvalidSymbols
from shared.types import Complex, Floats

EqualizerName = Literal["mmse", "zf", "level"]
_Any = TypeVar("_Any", np.float32, np.complex64)
_POWER_FLOOR: Final = 1e-24
"""Least |h|^2, -240 dB: keeps a deep fade finite in complex64."""


def equalize(y: Complex, gain: Complex, n0: Floats, method: EqualizerName = "mmse") -> tuple[Complex, Floats]:
    """Undo the gain of each symbol.

    y: [B, n], complex64. gain: [B] of each burst or [B, n] of each symbol, complex64, h. n0: [B] or [B, n], float32,
    noise power; 0 without noise, NaN if not known. The error of an estimated h counts as noise:
    `ChannelEstimate.disturbance`.

        zf      x_hat = conj(h) y / |h|^2              n0_eff = N0 / |h|^2
        mmse    x_hat = conj(h) y / (|h|^2 + N0)       n0_eff = N0 / (|h|^2 + N0)
        level   x_hat = mmse / mean_n (1 - n0_eff)     n0_eff = (1 - a)^2 + a e / mean_n (1 - e)

    `mmse` is the biased form, which minimises the error itself (Kay, "Estimation Theory", chapter 12):
    x_hat = (1 - n0_eff) x + noise. For unknown N0 it falls back to `zf`, and n0_eff is NaN. `level` is the
    power-normalised MMSE: `mmse` scaled by one factor per burst to the power of the sent symbols; e is n0_eff of
    `mmse`, and a = (1 - e) / mean (1 - e). For a constant gain it equals `zf`; for varying gains it weighs down faded
    symbols as `mmse` does. It is for codecs that ignore n0_eff. A symbol with |h|^2 under 1e-24 gives x_hat near 0
    instead of infinity.

    Returns (x_hat [B, n] complex64, n0_eff [B, n] float32), for all methods n0_eff = E[|x_hat - x|^2 given h] for
    Es = 1: the mean squared error of the estimate, including its bias.
    """
    _check(y, gain, n0, method)
    h, noise = _by_symbol(gain).astype(np.complex128), _by_symbol(n0).astype(np.float64)
    squared = h.real**2 + h.imag**2
    power = np.maximum(squared + (0.0 if method == "zf" else np.nan_to_num(noise)), _POWER_FLOOR)
    weights, n0_eff = h.conj() / power, noise / power
    if method == "level":
        level = np.maximum(np.mean(squared / power, axis=1, keepdims=True), _POWER_FLOOR)
        kept = squared / power / level
        weights, n0_eff = weights / level, (1 - kept) ** 2 + kept * n0_eff / level
    with np.errstate(over="ignore"):  # an overflow becomes infinite, which the decoder refuses with an error
        x_hat = (y * weights).astype(np.complex64)
    return x_hat, np.broadcast_to(n0_eff.astype(np.float32), y.shape)


def _by_symbol(values: npt.NDArray[_Any]) -> npt.NDArray[_Any]:
    """[B] or [B, n] to [B, 1] or [B, n]."""
    return values if values.ndim == 2 else values[:, None]


def _check(y: Complex, gain: Complex, n0: Floats, method: str) -> None:
    if method not in get_args(EqualizerName):
        raise InvalidSetting(f"equalizer {method!r}: choose from {', '.join(get_args(EqualizerName))}")
    shapes = (y.shape, y.shape[:1])
    if y.ndim != 2 or gain.shape not in shapes or n0.shape not in shapes:
        raise InvalidSymbols(
            f"y {y.shape}, gain {gain.shape}, n0 {n0.shape}: give y [B, n] with gain and n0 as [B] or [B, n]"
        )
