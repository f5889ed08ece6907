"""Which SNR a sender should make its bursts for, when it knows the statistics of the channel but not the next gain."""

import math
from typing import Final

from shared.phy.conditions.settings import FadingName

OUTAGE: Final = 0.1

DEFAULT_DESIGN_SNR_DB: Final = 0.0
"""What a sender expects that is told nothing.

Measured with `nested`, k = 64, 8 pilots, AWGN: at -7 dB it costs 0.08 of accuracy against a code made for -8 dB, at
10 dB 0.03 of cosine against one made for 12 dB. Of the points in between it loses the least.
"""

ADAPTIVE_DESIGN_SNR_DB: Final = 5.0
"""What the other codecs that care expect where nobody names an SNR. The transmitter always names one."""


def outage_snr_db(snr_db: float, fading: FadingName) -> float:
    """The SNR that all but a tenth of the bursts exceed. snr_db: average Es/N0, dB.

    Without fading that is the average. Otherwise it is taken as for Rayleigh fading, where P(|h|^2 < x) = 1 - exp(-x):
    10 log10(-ln 0.9) = -9.8 dB from the average.
    """
    return snr_db if fading == "none" else snr_db + 10 * math.log10(-math.log(1 - OUTAGE))
