"""What a client asks of a transmitter, and what it gets: the closest image in meaning, and where the time went."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from shared.frame.burst import CodecSpec, Csi
from shared.frame.reception import ChannelReport, Hit, Trace
from shared.ledger import Entry, Stage
from shared.phy import PilotPattern

REQUIRED_POSTERIOR: Final = 0.99
"""Of a HARQ request that names none."""


@dataclass(frozen=True, slots=True)
class Harq:
    """Send in rounds. required_posterior: see `transmitter.harq`. k_max: longest length; None for the codec's."""

    required_posterior: float = REQUIRED_POSTERIOR
    k_max: int | None = None


@dataclass(frozen=True, slots=True)
class SendRequest:
    """One picture and how to send it; None means the transmitter's default.

    image: a picture file. request_id: echoed in the answer of a stream. channel_override: fields of ChannelSettings for
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


@dataclass(frozen=True, slots=True)
class HarqRound:
    """One HARQ round of a picture.

    k: length reached with it. counter: of its random draw. cbr_total: of this round, with pilots and header.
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

    def to_json(self) -> dict[str, Any]:
        """A strict JSON object."""
        return strict_json({"certainty" if name == "posterior" else name: part for name, part in asdict(self).items()})


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One picture's answer.

    item_id, label, distance: of the answer, the nearest item with the label that won the vote. top: the answer first,
    then other items, nearest first. confidence: 0 to 1, how likely the label is right. accepted, reason: whether the
    receiver trusts it, and why not. cbr: complex channel uses / (3 H W) of the payload; cbr_total: with pilots and
    header. genies: what the receiver was given that a real one would not have. ledger: sums to total_seconds, the round
    trip that the transmitter, or the client, measured, and the emulated stages. knowledge_base, knowledge_base_version:
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
    trace: Trace | None = None
    rounds: tuple[HarqRound, ...] = ()

    def seconds(self, stage: str) -> float:
        """Time of one stage of the ledger; 0 for a stage that is not in it."""
        return math.fsum(entry.seconds for entry in self.ledger if entry.stage == stage)

    @property
    def sent_picture(self) -> bool:
        """Whether the picture itself travelled, and the receiver embedded it, rather than its embedding."""
        return any(entry.stage == Stage.EMBED for entry in self.ledger)

    def to_json(self) -> dict[str, Any]:
        """A strict JSON object: an infinite SNR (no noise) is null."""
        document: dict[str, Any] = {
            "item_id": self.item_id,
            "label": self.label,
            "distance": finite(self.distance),
            "confidence": finite(self.confidence),
            "accepted": self.accepted,
            "reason": self.reason,
            "top": [{"item_id": hit.item_id, "label": hit.label, "distance": finite(hit.distance)} for hit in self.top],
            "codec": self.codec,
            "k": self.k,
            "cbr": finite(self.cbr),
            "cbr_total": finite(self.cbr_total),
            "csi": self.csi,
            "genies": list(self.genies),
            "pilot_symbols": self.pilot_symbols,
            "snr_db_estimated": finite(self.snr_db_estimated),
            "channel": _channel_json(self.channel),
            "ledger": [
                {"stage": entry.stage, "seconds": finite(entry.seconds), "kind": entry.kind.value}
                for entry in self.ledger
            ],
            "total_seconds": finite(self.total_seconds),
            "knowledge_base": self.knowledge_base,
            "knowledge_base_version": self.knowledge_base_version,
            "rounds": [one.to_json() for one in self.rounds],
        }
        return document if self.trace is None else document | {"trace": _trace_json(self.trace)}


@dataclass(frozen=True, slots=True)
class TransmitterInfo:
    """A transmitter: its CLIP, its arithmetic (float32 or bfloat16), its codecs and its limits."""

    version: str
    clip: str
    clip_fingerprint: str
    device: str
    precision: str
    codecs: tuple[CodecSpec, ...]
    default_codec: CodecSpec
    max_picture_bytes: int
    max_picture_pixels: int
    max_in_flight: int

    def to_json(self) -> dict[str, Any]:
        """A strict JSON object."""
        return asdict(self)


def finite(value: float | None) -> float | None:
    """The value as JSON can say it: null for an infinity or NaN."""
    return value if value is not None and math.isfinite(value) else None


def strict_json(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as a strict JSON object: an infinity (no noise, no interferer, a linear amplifier) is null."""
    return {name: finite(value) if isinstance(value, float) else value for name, value in settings.items()}


def _channel_json(report: ChannelReport) -> dict[str, Any]:
    return {
        "snr_db_asked": finite(report.snr_db_asked),
        "snr_db_achieved": finite(report.snr_db_achieved),
        "fading": report.fading,
        "seed": report.seed,
        "stream": report.stream,
        "burst": report.counter,
        "signal_power": finite(report.signal_power),
        "noise_power": finite(report.noise_power),
        "seconds": finite(report.seconds),
        "air_symbols": report.air_symbols,
        "papr_db": finite(report.papr_db),
        "settings": strict_json(report.settings.model_dump(exclude_defaults=True)),
        "gain": [finite(report.gain.real), finite(report.gain.imag)],
    }


def _trace_json(trace: Trace) -> dict[str, list[list[float]]]:
    """Each constellation as pairs [real, imaginary]."""
    return {
        name: [[float(symbol.real), float(symbol.imag)] for symbol in getattr(trace, name)]
        for name in ("sent", "received", "equalized")
    }
