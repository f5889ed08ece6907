"""The channels that the demo sends its pictures through, and the options of sending."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

from client.options import SendOptions

SEED = 2025
_CHANNELS: Final = {
    "AWGN": SendOptions(fading="none", csi="none"),
    "Rayleigh": SendOptions(fading="rayleigh", csi="pilot"),
}


@dataclass(frozen=True)
class Setup:
    """One row of the demo.

    name: of the kind of channel, for people. options: of every picture; seed, stream and counter are fixed, so the row
    can be reproduced.
    """

    name: str
    options: SendOptions

    @property
    def snr_db(self) -> float:
        """Average Es/N0, dB; infinite for no noise."""
        return self.options.get("snr_db") or 0.0

    @property
    def fading(self) -> str:
        """Which fading: "none" or "rayleigh"."""
        return self.options.get("fading") or "none"


def setups(snrs_db: Sequence[float], chosen: SendOptions, tell_snr: bool = False) -> list[Setup]:
    """Setups of all rows: the clean reference, then AWGN and Rayleigh at each SNR. chosen: the codec and its options.

    The reference sends the embedding itself through a channel without noise. On AWGN the gain is 1 and there is
    nothing to estimate; under Rayleigh fading the receiver estimates it from pilots, which count in cbr_total.
    tell_snr: the average SNR of each row is its design SNR.
    """
    rows = [Setup("clean", SendOptions(codec="raw", k=None, snr_db=math.inf, fading="none", csi="none"))]
    for (name, channel), snr_db in product(_CHANNELS.items(), snrs_db):
        options: SendOptions = {**chosen, **channel, "snr_db": snr_db}
        if tell_snr:
            options["design_snr_db"] = snr_db
        rows.append(Setup(name, options))
    for stream, row in enumerate(rows):
        row.options.update({"seed": SEED, "stream": stream, "counter": 0, "top_k": 1, "trace": True})
    return rows
