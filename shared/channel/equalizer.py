"""One-tap equalizers: from received symbols and what is known of the channel to estimates of what was sent."""

from typing import Final, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from shared.errors import InvalidSetting, InvalidSymbols
from shared.symbols import Complex

EqualizerName = Literal["mmse", "zf"]
_Real = npt.NDArray[np.float32]
_Any = TypeVar("_Any", np.float32, np.complex64)
_POWER_FLOOR: Final = 1e-24
"""|h|^2 of a gain that is taken for none, -240 dB: keeps a deep fade finite in complex64."""


def equalize(y: Complex, gain: Complex, n0: _Real, method: EqualizerName = "mmse") -> tuple[Complex, _Real]:
    """Undo the gain of each symbol.

    y: [B, n], complex64. gain: [B] of each burst or [B, n] of each symbol, complex64, h. n0: [B] or [B, n], float32,
    noise power; 0 without noise, NaN if not known. Where h is an estimate, its error counts as noise:
    `ChannelEstimate.disturbance`.

        zf     x_hat = conj(h) y / |h|^2           n0_eff = N0 / |h|^2
        mmse   x_hat = conj(h) y / (|h|^2 + N0)    n0_eff = N0 / (|h|^2 + N0)

    `mmse` is the biased form, which minimises the error itself (Kay, "Estimation Theory", chapter 12):
    x_hat = (1 - n0_eff) x + noise. Where N0 is not known it falls back to `zf`, and n0_eff is NaN.
    A symbol whose |h|^2 is under 1e-24 comes out near 0 instead of infinite.

    Returns (x_hat [B, n] complex64, n0_eff [B, n] float32), for both methods n0_eff = E[|x_hat - x|^2 given h] for
    Es = 1: the error of the estimate as it stands, its bias included.
    """
    _check(y, gain, n0, method)
    h, noise = _by_symbol(gain).astype(np.complex128), _by_symbol(n0).astype(np.float64)
    loading = np.nan_to_num(noise) if method == "mmse" else 0.0
    power = np.maximum(h.real**2 + h.imag**2 + loading, _POWER_FLOOR)
    with np.errstate(over="ignore"):  # a burst of absurd size becomes infinite, and its decoder refuses it by name
        x_hat = (y * (h.conj() / power)).astype(np.complex64)
    return x_hat, np.broadcast_to((noise / power).astype(np.float32), y.shape)


def _by_symbol(values: npt.NDArray[_Any]) -> npt.NDArray[_Any]:
    """[B] or [B, n] to [B, 1] or [B, n]."""
    return values if values.ndim == 2 else values[:, None]


def _check(y: Complex, gain: Complex, n0: _Real, method: str) -> None:
    if method not in ("mmse", "zf"):
        raise InvalidSetting(f"equalizer {method!r}: choose mmse or zf")
    shapes = (y.shape, y.shape[:1])
    if y.ndim != 2 or gain.shape not in shapes or n0.shape not in shapes:
        raise InvalidSymbols(
            f"y {y.shape}, gain {gain.shape}, n0 {n0.shape}: give y [B, n] with gain and n0 as [B] or [B, n]"
        )
