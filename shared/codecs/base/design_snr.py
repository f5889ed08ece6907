"""Design SNR: the SNR that a sender makes its bursts for when it does not know the next gain."""

import math
from typing import Final

from shared.phy.conditions.settings import FadingName

OUTAGE: Final = 0.1

DEFAULT_DESIGN_SNR_DB: Final = 0.0
"""Design SNR of the transmitter and of `nested` if none is given, dB.

Measured with `nested`, k = 64, 8 pilots, AWGN: at -7 dB it costs 0.08 of accuracy against a code made for -8 dB, at
10 dB 0.03 of cosine against one made for 12 dB. Of the points in between it loses the least.
"""

ADAPTIVE_DESIGN_SNR_DB: Final = 5.0
"""Design SNR of the other codecs that adapt if none is given, dB. The transmitter always gives one."""


def outage_snr_db(snr_db: float, fading: FadingName) -> float:
    """The SNR that 90 % of the bursts exceed. snr_db: average Es/N0, dB.

    Without fading that is the average. Otherwise it is taken as for Rayleigh fading, where P(|h|^2 < x) = 1 - exp(-x):
    10 log10(-ln 0.9) = -9.8 dB from the average.
    """
    return snr_db if fading == "none" else snr_db + 10 * math.log10(-math.log(1 - OUTAGE))
