"""What the receiver answers to one burst, and what the channel reports of it."""

from dataclasses import dataclass
from typing import NamedTuple

from shared.frame.question import Rebuilt
from shared.ledger import Entry
from shared.phy import ChannelSettings, FadingName
from shared.types import Complex, Floats


@dataclass(frozen=True, slots=True)
class ChannelReport:
    """What the channel did to one burst, enough to replay it bit for bit; see `shared.phy.Transmission`."""

    settings: ChannelSettings
    snr_db_achieved: float
    stream: int
    counter: int
    signal_power: float
    noise_power: float
    gain: complex
    seconds: float
    air_symbols: int
    papr_db: float

    @property
    def snr_db_asked(self) -> float:
        """Average Es/N0 that was asked for, dB."""
        return self.settings.snr_db

    @property
    def fading(self) -> FadingName:
        """Which fading."""
        return self.settings.fading

    @property
    def seed(self) -> int:
        """Seed of every random draw."""
        return self.settings.seed


class Hit(NamedTuple):
    """One item near the received embedding. distance: Euclidean between unit vectors, 0 to 2."""

    item_id: str
    label: str
    distance: float


@dataclass(frozen=True, slots=True)
class Trace:
    """Payload symbols as seen on the way: [n], complex64 each; empty where not seen yet.

    embedding: [dim], float32, that the receiver searched with, of any length; None where it decoded none.
    """

    sent: Complex
    received: Complex
    equalized: Complex
    embedding: Floats | None = None


@dataclass(frozen=True, slots=True)
class Reception:
    """What the receiver made of one burst.

    top: the answer, then the others nearest first; never empty. snr_db_estimated: dB, None without pilots. ledger:
    stages of the receiver, then of the channel. elapsed_seconds: the receiver's whole time for the burst.
    knowledge_base: fingerprint. knowledge_base_version: how many changes it has seen. posterior: probability of the
    likeliest category given all that arrived, None for a codec without categories. request_more: the posterior is below
    the required one, and the codeword has more symbols.
    """

    burst_id: int
    top: tuple[Hit, ...]
    confidence: float
    accepted: bool
    reason: str
    ledger: tuple[Entry, ...]
    elapsed_seconds: float
    knowledge_base: str
    knowledge_base_version: int = 0
    snr_db_estimated: float | None = None
    trace: Trace | None = None
    channel: ChannelReport | None = None
    posterior: float | None = None
    request_more: bool = False
    rebuilt: Rebuilt | None = None
