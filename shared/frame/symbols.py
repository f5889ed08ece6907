"""Arrays as bytes, little endian, without a header: complex64 symbols, 8 bytes each, and float32 values, 4 bytes."""

import numpy as np

from shared.errors import InvalidInput, InvalidSymbols
from shared.types import Complex, Floats

BYTES_PER_SYMBOL = 8
MAX_SYMBOLS = 1 << 16
_WIRE = np.dtype("<c8")
_FLOAT = np.dtype("<f4")


def pack_symbols(symbols: Complex) -> bytes:
    """Wire form of `symbols`: [n], complex64."""
    return np.ascontiguousarray(symbols, dtype=_WIRE).tobytes()


def unpack_symbols(data: bytes, expected: int | None = None) -> Complex:
    """Symbols: [expected], complex64, read-only view of `data`; as many as there are without `expected`.

    Raises InvalidSymbols when the length differs from `expected` symbols or a value is not finite.
    """
    expected = len(data) // BYTES_PER_SYMBOL if expected is None else expected
    if len(data) != expected * BYTES_PER_SYMBOL:
        raise InvalidSymbols(
            f"symbols hold {len(data)} bytes, {expected} complex64 symbols need {expected * BYTES_PER_SYMBOL}"
        )
    symbols = np.frombuffer(data, dtype=_WIRE).astype(np.complex64, copy=False)
    if not np.isfinite(symbols).all():
        raise InvalidSymbols("symbols hold a NaN or an infinity; send finite complex64 values")
    return symbols


def pack_floats(values: Floats) -> bytes:
    """Wire form of `values`: [n], float32."""
    return np.ascontiguousarray(values, dtype=_FLOAT).tobytes()


def unpack_floats(data: bytes) -> Floats:
    """Values: [n], float32, read-only view of `data`. Raises InvalidInput for no values, or a part of one."""
    if not data or len(data) % _FLOAT.itemsize:
        raise InvalidInput(f"{len(data)} bytes: send one value or more, float32 little endian")
    return np.frombuffer(data, dtype=_FLOAT).astype(np.float32, copy=False)
