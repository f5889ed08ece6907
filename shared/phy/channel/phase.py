"""Phase in turns: 1 is a full circle.

Whole turns are dropped to keep precision. At the start of a burst the phase of an oscillation is counter x turns per
burst. The product is computed with 64-bit integers in units of 2^-64 turns, so that it overflows exactly at a full
turn. So the last of 2^64 bursts is as precise as the first: the phase advances by the same amount from burst to burst,
to 2^-52 turns. The rounding of that amount, 1 part in 2^53 and at most 2^-63 turns, is an error of the frequency, not
of the phase.
"""

from typing import Final

import numpy as np

from shared.types import Complex, Doubles

Turns = Doubles
_HALF_TURN: Final = 2.0**63
"""In units of 2^-64 turns: the range of a signed 64-bit integer."""


def turns_at(counter: int, interval_seconds: float, hz: Turns) -> Turns:
    """Phase of oscillations at the start of a burst: counter x interval x hz without whole turns.

    counter: 0 to 2^64 - 1. interval_seconds: from burst to burst. hz: [...], float64.
    Returns [...], float64, 0 to 1.
    """
    part = np.fmod(interval_seconds * hz, 1.0)  # exact, -1 to 1
    units = (part * _HALF_TURN).astype(np.int64).astype(np.uint64) * np.uint64(2) * np.uint64(counter)
    turns: Turns = np.ldexp(units.astype(np.float64), -64)
    return turns


def phasor(turns: Turns) -> Complex:
    """exp(j 2 pi turns): [...], complex64, accurate to about 3e-7."""
    angle = (2 * np.pi * (turns - np.rint(turns))).astype(np.float32)  # float32 is three times faster, once reduced
    result = np.empty(turns.shape, np.complex64)
    np.cos(angle, out=result.real)
    np.sin(angle, out=result.imag)
    return result
