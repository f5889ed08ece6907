"""What a client asks for, as plain values, and what it gets."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.burst import CodecSpec, Csi, Reception
from shared.channel import PilotPlacing
from shared.ledger import Entry


@dataclass(frozen=True, slots=True)
class SendRequest:
    """One picture and how to send it; None means the transmitter's default. Fields as in SendImageRequest."""

    image: bytes
    codec: str | None = None
    k: int | None = None
    channel: Mapping[str, Any] | None = None
    csi: Csi | None = None
    pilot_symbols: int | None = None
    pilot_placing: PilotPlacing | None = None
    stream: int | None = None
    counter: int | None = None
    top_k: int = 5
    trace: bool = False
    design_snr_db: float | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of one picture.

    cbr: complex channel uses of the payload / (3 x height x width of the source picture); cbr_total: with pilots,
    header and what the waveform adds. ledger: adds up to the total.
    """

    reception: Reception
    codec: CodecSpec
    csi: Csi
    pilots: int
    placing: PilotPlacing
    cbr: float
    cbr_total: float
    ledger: tuple[Entry, ...]

    @property
    def genies(self) -> tuple[str, ...]:
        """What the receiver was given that a real one would not have."""
        return ("perfect_csi", "known_snr") if self.csi == "perfect" else ()

    @property
    def total_seconds(self) -> float:
        """Sum of the ledger."""
        return sum(entry.seconds for entry in self.ledger)
