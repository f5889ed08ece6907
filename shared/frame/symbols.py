"""Complex symbols as bytes: complex64, little endian, 8 bytes a symbol, no header."""

import numpy as np

from shared.errors import InvalidSymbols
from shared.types import Complex

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
