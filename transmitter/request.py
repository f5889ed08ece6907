"""What a client asks for, as plain values, and what it gets."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from shared.errors import SemLinkError
from shared.frame.burst import CodecSpec, Csi, Reception
from shared.ledger import Entry
from shared.phy import PilotPattern

DEFAULT_CERTAINTY: Final = 0.99
"""Of a request that asks for more and names none."""


@dataclass(frozen=True, slots=True)
class AskForMore:
    """Send in rounds. certainty: see `transmitter.harq.wanted_certainty`. k_max: at most; None for the longest."""

    certainty: float
    k_max: int | None = None


@dataclass(frozen=True, slots=True)
class SendRequest:
    """One picture and how to send it; None means the transmitter's default. Fields as in SendImageRequest."""

    image: bytes
    codec: str | None = None
    k: int | None = None
    channel: Mapping[str, Any] | None = None
    csi: Csi | None = None
    pilot_symbols: int | None = None
    pilot_pattern: PilotPattern | None = None
    stream: int | None = None
    counter: int | None = None
    top_k: int = 5
    trace: bool = False
    design_snr_db: float | None = None
    ask: AskForMore | None = None


@dataclass(frozen=True, slots=True)
class Round:
    """One burst of a picture that was sent in rounds. Fields as in the message of this name."""

    k: int
    counter: int
    pilots: int
    payload_symbols: int
    cbr_total: float
    seconds: float
    confidence: float | None = None
    certainty: float | None = None
    snr_db_estimated: float | None = None
    failure: SemLinkError | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of one picture.

    cbr: complex channel uses of the payload / (3 x height x width of the source picture); cbr_total: with pilots,
    header and what the waveform adds; both of all rounds. ledger: adds up to the total. rounds: of a request that asks
    for more.
    """

    reception: Reception
    codec: CodecSpec
    csi: Csi
    pilots: int
    pilot_pattern: PilotPattern
    cbr: float
    cbr_total: float
    ledger: tuple[Entry, ...]
    rounds: tuple[Round, ...] = ()

    @property
    def genies(self) -> tuple[str, ...]:
        """What the receiver was given that a real one would not have."""
        return ("perfect_csi", "known_snr") if self.csi == "perfect" else ()

    @property
    def total_seconds(self) -> float:
        """Sum of the ledger."""
        return sum(entry.seconds for entry in self.ledger)
