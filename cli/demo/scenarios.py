"""What the demo sends its pictures through."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from client.options import SendOptions

SEED = 2025


@dataclass(frozen=True)
class Scenario:
    """One row of the demo.

    name: for people. options: of every picture; seed, stream and counter are fixed, so the row reproduces.
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


def scenarios(snrs_db: Sequence[float], chosen: SendOptions, tell_snr: bool = False) -> list[Scenario]:
    """The clean reference first, then AWGN and Rayleigh at each SNR. chosen: the codec, and what goes with it.

    The reference sends the embedding itself through a channel without noise. On AWGN the gain is 1 and there is
    nothing to estimate; under Rayleigh fading the receiver estimates it from pilots, which count in cbr_total.
    tell_snr: tell the sender the average SNR of each row.
    """
    reference = SendOptions(codec="raw", k=None, snr_db=math.inf, fading="none", csi="none")
    rows = [Scenario("clean", _numbered(reference, 0))]
    for snr_db in snrs_db:
        options: SendOptions = {**_at(chosen, snr_db, tell_snr), "fading": "none", "csi": "none"}
        rows.append(Scenario("AWGN", _numbered(options, len(rows))))
    for snr_db in snrs_db:
        options = {**_at(chosen, snr_db, tell_snr), "fading": "rayleigh", "csi": "pilot"}
        rows.append(Scenario("Rayleigh", _numbered(options, len(rows))))
    return rows


def _at(chosen: SendOptions, snr_db: float, tell_snr: bool) -> SendOptions:
    told: SendOptions = {"design_snr_db": snr_db} if tell_snr else {}
    return {**chosen, "snr_db": snr_db, **told}


def _numbered(options: SendOptions, stream: int) -> SendOptions:
    return {**options, "seed": SEED, "stream": stream, "counter": 0, "top_k": 1, "trace": True}
