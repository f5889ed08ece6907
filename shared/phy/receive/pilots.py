"""Pilots: symbols that both ends know, and their positions in a burst (pilot pattern)."""

from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from shared.errors import InvalidSetting
from shared.types import Complex

PilotPattern = Literal["preamble", "scattered"]


@lru_cache(maxsize=64)
def pilot_sequence(n: int) -> Complex:
    """Return the `n` pilots of a burst: [n], complex64, |p_m| = 1, read-only; empty for 0.

    Zadoff-Chu sequence of root 1, p_m = exp(-j pi m (m + n mod 2) / n).
    (Chu, "Polyphase codes with good periodic correlation properties", IEEE Trans. Inf. Theory 18, 1972.)
    """
    if n < 0:
        raise InvalidSetting(f"{n} pilots: give 0 for none, or at least 2")
    m = np.arange(n, dtype=np.float64)
    pilots: Complex = np.exp(-1j * np.pi * m * (m + n % 2) / n).astype(np.complex64)
    pilots.flags.writeable = False
    return pilots


@lru_cache(maxsize=256)
def pilot_positions(pilots: int, symbols: int, pilot_pattern: PilotPattern) -> npt.NDArray[np.intp]:
    """Positions of the pilots in a burst of `symbols` symbols, pilots included: [pilots], ascending, read-only.

    preamble: the first symbols. scattered: evenly spaced from the first symbol to the last.
    """
    if pilot_pattern == "preamble":
        positions = np.arange(pilots)
    else:
        positions = np.round(np.linspace(0, symbols - 1, pilots)).astype(np.intp)
    positions.flags.writeable = False
    return positions


@lru_cache(maxsize=256)
def payload_positions(pilots: int, symbols: int, pilot_pattern: PilotPattern) -> npt.NDArray[np.intp]:
    """Positions of all other symbols: [symbols - pilots], ascending, read-only."""
    positions = np.delete(np.arange(symbols), pilot_positions(pilots, symbols, pilot_pattern))
    positions.flags.writeable = False
    return positions


def place_pilots(payload: Complex, pilots: int, pilot_pattern: PilotPattern) -> Complex:
    """Insert `pilots` pilots into the payload: [n] to [n + pilots], complex64."""
    if not pilots:
        return payload
    burst = np.empty(payload.size + pilots, np.complex64)
    burst[pilot_positions(pilots, burst.size, pilot_pattern)] = pilot_sequence(pilots)
    burst[payload_positions(pilots, burst.size, pilot_pattern)] = payload
    return burst
