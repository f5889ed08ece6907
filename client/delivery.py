"""What comes back: the closest image in meaning, how sure the receiver is, and where the time went."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from protos.semlink.v1 import transmitter_pb2 as api
from shared.frame.burst import ChannelReport, Csi, Hit, Trace
from shared.ledger import Entry, Kind, Stage
from shared.wire.channel import report_from_wire
from shared.wire.link import csi_from_wire, entries_from_wire, hits_from_wire, trace_from_wire

_PLACES = {stage.value: place for place, stage in enumerate(Stage)}


def place_of(stage: str) -> int:
    """Where a stage stands on the way; one that this version does not know stands last."""
    return _PLACES.get(stage, len(_PLACES))


@dataclass(frozen=True)
class Round:
    """One round of a picture that was sent with ask_for_more.

    k: length reached with it. counter: of its random draw. cbr_total: of this round, with pilots and header.
    confidence, certainty, snr_db_estimated: what the receiver answered; None for a round that failed. certainty:
    probability of the likeliest category given all that arrived, by which the receiver asks. seconds: the round trip,
    emulated stages included. failure: why it failed, empty if it did not.
    """

    k: int
    counter: int
    pilot_symbols: int
    payload_symbols: int
    cbr_total: float
    confidence: float | None
    certainty: float | None
    snr_db_estimated: float | None
    seconds: float
    failure: str = ""

    def to_json(self) -> dict[str, Any]:
        """A strict JSON object."""
        return strict_json(asdict(self))


@dataclass(frozen=True)
class Delivery:
    """One picture's answer.

    item_id, label, distance: of the answer, the nearest item with the label that won the vote. top: the answer first,
    then other items, nearest first. confidence: 0 to 1, how likely the label is right. accepted, reason: whether the
    receiver trusts it, and why not. cbr: complex channel uses / (3 H W) of the payload; cbr_total: with pilots and
    header. genies: what the receiver was given that a real one would not have. ledger: sums to
    total_seconds, the round trip that this client measured plus the emulated stages. knowledge_base,
    knowledge_base_version: fingerprint of the knowledge base that answered, and how many changes it had seen. rounds:
    with ask_for_more, at least one; k, cbr and cbr_total are those of all rounds together, channel and
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
    csi: Csi
    genies: tuple[str, ...]
    pilot_symbols: int
    snr_db_estimated: float | None
    channel: ChannelReport
    ledger: tuple[Entry, ...]
    total_seconds: float
    knowledge_base: str
    knowledge_base_version: int = 0
    trace: Trace | None = None
    rounds: tuple[Round, ...] = ()

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


def read_delivery(message: api.Delivery, round_trip_seconds: float) -> Delivery:
    """The Delivery of an answer, with the access network booked in its ledger.

    round_trip_seconds: measured by this client, from handing the request to gRPC to holding the answer.
    """
    ledger = _with_access(entries_from_wire(message.ledger), round_trip_seconds)
    return Delivery(
        item_id=message.item_id,
        label=message.label,
        distance=message.distance,
        confidence=message.confidence,
        accepted=message.accepted,
        reason=message.reason,
        top=hits_from_wire(message.top),
        codec=message.codec,
        k=message.k,
        cbr=message.cbr,
        cbr_total=message.cbr_total,
        csi=csi_from_wire(message.csi) or "none",
        genies=tuple(message.genies),
        pilot_symbols=message.pilot_symbols,
        snr_db_estimated=message.snr_db_estimated if message.HasField("snr_db_estimated") else None,
        channel=report_from_wire(message.channel),
        ledger=ledger,
        total_seconds=math.fsum(entry.seconds for entry in ledger),
        knowledge_base=message.knowledge_base,
        knowledge_base_version=message.knowledge_base_version,
        trace=trace_from_wire(message.trace) if message.HasField("trace") else None,
        rounds=tuple(map(_read_round, message.rounds)),
    )


def _read_round(message: api.Round) -> Round:
    return Round(
        k=message.k,
        counter=message.counter,
        pilot_symbols=message.pilot_symbols,
        payload_symbols=message.payload_symbols,
        cbr_total=message.cbr_total,
        confidence=message.confidence if message.HasField("confidence") else None,
        certainty=message.certainty if message.HasField("certainty") else None,
        snr_db_estimated=message.snr_db_estimated if message.HasField("snr_db_estimated") else None,
        seconds=message.seconds,
        failure=message.failure.message,
    )


def finite(value: float | None) -> float | None:
    """The value as JSON can say it: null for an infinity or NaN."""
    return value if value is not None and math.isfinite(value) else None


def strict_json(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as a strict JSON object: an infinity (no noise, no interferer, a linear amplifier) is null."""
    return {name: finite(value) if isinstance(value, float) else value for name, value in settings.items()}


def _with_access(entries: Sequence[Entry], round_trip_seconds: float) -> tuple[Entry, ...]:
    """Add what the round trip took beyond the transmitter's measured stages; all in the order of the way."""
    inside = math.fsum(entry.seconds for entry in entries if entry.kind is Kind.MEASURED)
    access = Entry(Stage.ACCESS, max(0.0, round_trip_seconds - inside))
    return tuple(sorted((access, *entries), key=lambda entry: place_of(entry.stage)))


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
