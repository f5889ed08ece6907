"""What a client asks of a transmitter, and what it gets: the closest image in meaning, and where the time went."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from shared.frame.burst import CodecSpec, Csi, Framing
from shared.frame.question import Asked, Question
from shared.frame.reception import ChannelReport, Hit, Trace
from shared.ledger import Entry, Stage
from shared.phy import PilotPattern
from shared.strict_json import strict_json
from shared.types import Floats

REQUIRED_POSTERIOR: Final = 0.99
"""Of a HARQ request that names none."""


@dataclass(frozen=True, slots=True)
class Harq:
    """Send in rounds. required_posterior: see `transmitter.harq`. k_max: longest length; None for the codec's."""

    required_posterior: float = REQUIRED_POSTERIOR
    k_max: int | None = None


@dataclass(frozen=True, slots=True)
class ReadyEmbedding:
    """An embedding in place of a picture.

    values: [D], float32, of any length but 0. clip_fingerprint: of the CLIP that made it. source_values: 3 H W of the
    source picture, 0 where there is none.
    """

    values: Floats
    clip_fingerprint: str
    source_values: int = 0


@dataclass(frozen=True, slots=True)
class SendRequest:
    """One picture and how to send it; None means the transmitter's default.

    image: a picture file, empty where `embedding` takes its place. request_id: echoed in the answer of a stream.
    channel_override: fields of ChannelSettings for
    this picture alone. timeout_seconds: for this picture; 0 for none. The others: see `client.SendOptions`.
    """

    image: bytes
    request_id: int = 0
    codec: str | None = None
    k: int | None = None
    channel_override: Mapping[str, Any] | None = None
    csi: Csi | None = None
    pilot_symbols: int | None = None
    pilot_pattern: PilotPattern | None = None
    stream: int | None = None
    counter: int | None = None
    top_k: int = 5
    trace: bool = False
    timeout_seconds: float = 0.0
    design_snr_db: float | None = None
    harq: Harq | None = None
    embedding: ReadyEmbedding | None = None
    framing: Framing | None = None
    question: Question | None = None


@dataclass(frozen=True, slots=True)
class HarqRound:
    """One HARQ round of a picture.

    k: length reached with it. counter: of its random draw. cbr_total: of this round, with all that was sent.
    header_symbols: of its header, where it has one.
    confidence, posterior, snr_db_estimated: what the receiver answered; None for a round that failed. posterior:
    probability of the likeliest category given all that arrived, by which the receiver requests more. seconds: the
    round trip, emulated stages included. failure: why it failed, empty if it did not.
    """

    k: int
    counter: int
    pilot_symbols: int
    payload_symbols: int
    cbr_total: float
    confidence: float | None
    posterior: float | None
    snr_db_estimated: float | None
    seconds: float
    failure: str = ""
    header_symbols: int = 0

    def to_json(self) -> dict[str, Any]:
        """A strict JSON object."""
        document: dict[str, Any] = strict_json(self)
        return document


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One picture's answer.

    burst_id: of the burst that was answered last, as in the services' logs; empty from services before it was told.
    item_id, label, distance: of the answer, the nearest item with the label that won the vote. top: the answer first,
    then other items, nearest first. confidence: 0 to 1, how likely the label is right. accepted, reason: whether the
    receiver trusts it, and why not. cbr: complex channel uses / (3 H W) of the payload, NaN for an embedding of no
    known picture; cbr_total: with all that was sent: pilots, headers, what the waveform adds. framing: how the receiver
    learned what the bursts are; header_symbols: of all rounds; configuration_symbols: of the control message that
    configured the link, once for all pictures that are sent in the same way, so not in cbr_total. genies: what the
    receiver was given that a real one would not have. ledger: sums to total_seconds, the round trip that the
    transmitter, or the client, measured, and the emulated stages. knowledge_base, knowledge_base_version:
    fingerprint of the knowledge base that answered, and how many changes it had seen. pilot_pattern: None without
    pilots. rounds: with HARQ, at least one; k, cbr and cbr_total are those of all rounds together, channel and
    snr_db_estimated those of the last one that arrived.
    """

    item_id: str
    label: str
    distance: float
    confidence: float
    accepted: bool
    reason: str
    top: tuple[Hit, ...]
    codec: str
    k: int
    cbr: float
    cbr_total: float
    csi: Csi = "none"
    genies: tuple[str, ...]
    pilot_symbols: int
    pilot_pattern: PilotPattern | None = None
    snr_db_estimated: float | None
    channel: ChannelReport
    ledger: tuple[Entry, ...]
    total_seconds: float
    knowledge_base: str
    knowledge_base_version: int = 0
    framing: Framing = "ideal"
    header_symbols: int = 0
    configuration_symbols: int = 0
    burst_id: str = ""
    rounds: tuple[HarqRound, ...] = ()
    asked: Asked | None = None
    trace: Trace | None = None

    def seconds(self, stage: str) -> float:
        """Time of one stage of the ledger; 0 for a stage that is not in it."""
        return math.fsum(entry.seconds for entry in self.ledger if entry.stage == stage)

    @property
    def answer(self) -> str:
        """The receiver's answer to the question; empty if nothing was asked, or nothing arrived."""
        return "" if self.asked is None else self.asked.answer

    @property
    def picture(self) -> bytes:
        """PNG file of the picture that the receiver rebuilt for a question; empty if nothing was asked."""
        return b"" if self.asked is None else self.asked.picture

    @property
    def sent_picture(self) -> bool:
        """Whether the picture itself travelled, and the receiver embedded it, rather than its embedding."""
        return any(entry.stage == Stage.EMBED for entry in self.ledger)

    def to_json(self) -> dict[str, Any]:
        """A strict JSON object: an infinite SNR (no noise) is null."""
        own = {
            "channel": _channel_json(self.channel),
            "rounds": [one.to_json() for one in self.rounds],
            "trace": None if self.trace is None else _trace_json(self.trace),
        }
        names = [field.name for field in fields(self) if field.name != "asked"]
        document = {name: own.get(name, getattr(self, name)) for name in names}
        if self.asked is not None:
            document |= self.asked.to_json()
        if self.trace is None:
            del document["trace"]
        strict: dict[str, Any] = strict_json(document)
        return strict


@dataclass(frozen=True, slots=True)
class TransmitterInfo:
    """A transmitter: its CLIP, what runs it (torch or openvino, float32 or bfloat16), its codecs and its limits."""

    version: str
    clip: str
    clip_fingerprint: str
    device: str
    engine: str
    precision: str
    codecs: tuple[CodecSpec, ...]
    default_codec: CodecSpec
    max_picture_bytes: int
    max_picture_pixels: int
    max_in_flight: int

    def to_json(self) -> dict[str, Any]:
        """A strict JSON object."""
        return asdict(self)


def _channel_json(report: ChannelReport) -> dict[str, Any]:
    return {
        "snr_db_asked": report.snr_db_asked,
        "snr_db_achieved": report.snr_db_achieved,
        "fading": report.fading,
        "seed": report.seed,
        "stream": report.stream,
        "counter": report.counter,
        "signal_power": report.signal_power,
        "noise_power": report.noise_power,
        "seconds": report.seconds,
        "air_symbols": report.air_symbols,
        "papr_db": report.papr_db,
        "settings": report.settings.model_dump(exclude_defaults=True),
        "gain": [report.gain.real, report.gain.imag],
    }


def _trace_json(trace: Trace) -> dict[str, list[list[float]]]:
    """Each constellation as pairs [real, imaginary]."""
    return {
        name: [[float(symbol.real), float(symbol.imag)] for symbol in getattr(trace, name)]
        for name in ("sent", "received", "equalized")
    }
