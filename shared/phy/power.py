"""Mean power of bursts."""

from typing import Final

import numpy as np

from shared.errors import InvalidSymbols
from shared.types import Complex, Doubles

POWER_TOLERANCE: Final = 1e-3
"""How far the mean power of what is sent may be from Es = 1."""


def check_power(symbols: Complex) -> None:
    """Es = 1 is what makes snr_db mean Es/N0, so a burst of another power would cheat.

    symbols: [n] of one burst, or [B, n] of many, whose mean counts. Raises InvalidSymbols.
    """
    power = float(np.vdot(symbols, symbols).real) / symbols.size
    if not abs(power - 1) <= POWER_TOLERANCE:
        raise InvalidSymbols(f"the burst has mean power {power:.6g}: scale its symbols to 1 (within {POWER_TOLERANCE})")


def mean_powers(symbols: Complex) -> list[float]:
    """E|x|^2 over each burst, in float64. symbols: [B, n], complex64."""
    parts = np.ascontiguousarray(symbols).view(np.float32)  # I and Q side by side
    totals: Doubles = np.square(parts, dtype=np.float64).sum(axis=1)
    powers: list[float] = (totals / symbols.shape[1]).tolist()
    return powers


def normalize_power(symbols: Complex) -> Complex:
    """Scale each burst to unit mean power.

    symbols: [B, n], complex64. Raises InvalidSymbols when a burst has no power.
    """
    power = np.mean(np.abs(symbols.astype(np.complex128)) ** 2, axis=-1, keepdims=True)
    if not (np.isfinite(power).all() and (power > 0).all()):
        raise InvalidSymbols("a burst has no power or a value that is not finite: it cannot be brought to unit power")
    normalized: Complex = (symbols / np.sqrt(power)).astype(np.complex64)
    return normalized
