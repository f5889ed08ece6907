"""Complex symbols on the wire and their power.

On the wire: complex64, little endian, 8 bytes a symbol, no header.
"""

import numpy as np
import numpy.typing as npt

from shared.errors import InvalidSymbols

Complex = npt.NDArray[np.complex64]
BYTES_PER_SYMBOL = 8
MAX_SYMBOLS = 1 << 16
_WIRE = np.dtype("<c8")


def pack_symbols(symbols: Complex) -> bytes:
    """Wire form of `symbols`: [n], complex64."""
    return np.ascontiguousarray(symbols, dtype=_WIRE).tobytes()


def unpack_symbols(data: bytes, expected: int) -> Complex:
    """Symbols: [expected], complex64, read-only view of `data`.

    Raises InvalidSymbols when the length differs from `expected` symbols or a value is not finite.
    """
    if len(data) != expected * BYTES_PER_SYMBOL:
        raise InvalidSymbols(
            f"symbols hold {len(data)} bytes, {expected} complex64 symbols need {expected * BYTES_PER_SYMBOL}"
        )
    symbols = np.frombuffer(data, dtype=_WIRE).astype(np.complex64, copy=False)
    if not np.isfinite(symbols).all():
        raise InvalidSymbols("symbols hold a NaN or an infinity; send finite complex64 values")
    return symbols


def mean_powers(symbols: Complex) -> list[float]:
    """E|x|^2 over each burst, in float64. symbols: [B, n], complex64."""
    parts = np.ascontiguousarray(symbols).view(np.float32)  # I and Q side by side
    totals: npt.NDArray[np.float64] = np.square(parts, dtype=np.float64).sum(axis=1)
    powers: list[float] = (totals / symbols.shape[1]).tolist()
    return powers


def mean_power(symbols: Complex) -> float:
    """E|x|^2 over one burst, in float64. symbols: [n], complex64."""
    return mean_powers(symbols[None])[0]


def normalize_power(symbols: Complex) -> Complex:
    """Scale each burst to unit mean power.

    symbols: [B, n], complex64. Raises InvalidSymbols when a burst has no power.
    """
    power = np.mean(np.abs(symbols.astype(np.complex128)) ** 2, axis=-1, keepdims=True)
    if not (np.isfinite(power).all() and (power > 0).all()):
        raise InvalidSymbols("a burst has no power or a value that is not finite: it cannot be brought to unit power")
    normalized: Complex = (symbols / np.sqrt(power)).astype(np.complex64)
    return normalized
