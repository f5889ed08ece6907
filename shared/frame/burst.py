"""What travels over the air and comes back, as plain values. `shared.wire.link` puts them into messages."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from shared.ledger import Entry
from shared.phy import ChannelSettings, FadingName, Grid, PilotPattern, payload_positions
from shared.types import Complex

Csi = Literal["none", "pilot", "perfect"]


@dataclass(frozen=True, slots=True)
class CodecSpec:
    """A codec of one length, and the CLIP model that its embeddings come from.

    mode: of a burst, see `BaseCodec.mode`; 0 for a codec that has only one.
    """

    codec: str
    k: int
    fingerprint: str
    clip_fingerprint: str
    mode: int = 0


@dataclass(frozen=True, slots=True)
class Genie:
    """The truth about the channel, which a real receiver would not have.

    gain: [1], complex64, of the whole burst, or [pilots + payload], of each symbol. n0: noise power per complex symbol.
    """

    gain: Complex
    n0: float


@dataclass(frozen=True, slots=True)
class Burst:
    """One image on the air.

    stream, counter: with the channel's seed, the name of the random draw. symbols: [pilots + payload], complex64, unit
    mean power when sent. timeout_seconds: what is left of the request's deadline, 0 for none. channel_override: fields
    of ChannelSettings for this burst alone. session: of bursts that make up one code, 0 for a burst alone;
    offset_symbols: payload of the earlier ones; wanted_certainty: below it the receiver asks for more, 0 for never.
    """

    burst_id: int
    stream: int
    counter: int
    codec: CodecSpec
    pilots: int
    symbols: Complex
    csi: Csi
    timeout_seconds: float = 0.0
    top_k: int = 5
    trace: bool = False
    channel_override: Mapping[str, Any] = field(default_factory=dict)
    genie: Genie | None = None
    pilot_pattern: PilotPattern = "preamble"
    grid: Grid | None = None
    session: int = 0
    offset_symbols: int = 0
    wanted_certainty: float = 0.0

    @property
    def payload(self) -> Complex:
        """The symbols without the pilots."""
        return self.symbols[self.pilots :] if self.pilot_pattern == "preamble" else self.symbols[self.payload_positions]

    @property
    def payload_positions(self) -> npt.NDArray[np.intp]:
        """Where the payload stands among the symbols."""
        return payload_positions(self.pilots, self.symbols.size, self.pilot_pattern)


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
    """Payload symbols as seen on the way: [n], complex64 each; empty where not seen yet."""

    sent: Complex
    received: Complex
    equalized: Complex


@dataclass(frozen=True, slots=True)
class Reception:
    """What the receiver made of one burst.

    top: the answer, then the others nearest first; never empty. snr_db_estimated: dB, None without pilots. ledger:
    stages of the receiver, then of the channel. elapsed_seconds: the receiver's whole time for the burst.
    knowledge_base: fingerprint. knowledge_base_version: how many changes it has seen. certainty: probability of the
    likeliest category given all that arrived, None for a codec without categories. request_more: it is below the wanted
    one, and the code has more symbols.
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
    certainty: float | None = None
    request_more: bool = False
