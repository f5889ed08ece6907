"""The client's messages to plain values and back."""

from protos.semlink.v1 import transmitter_pb2 as pb
from shared.errors import InvalidSetting
from shared.rpc.status import failure_from
from shared.wire.channel import override_from_wire, report_to_wire
from shared.wire.link import (
    checked_certainty,
    csi_from_wire,
    csi_to_wire,
    entries_to_wire,
    hits_to_wire,
    pilot_pattern_from_wire,
    pilot_pattern_to_wire,
    top_k_from_wire,
    trace_to_wire,
)
from transmitter.request import DEFAULT_CERTAINTY, AskForMore, Round, SendRequest, Sent


def request_from_wire(message: pb.SendImageRequest) -> SendRequest:
    """A request as plain values. Raises InvalidSetting for a number without a meaning."""
    if message.HasField("top_k") and not message.top_k:
        raise InvalidSetting("top_k = 0: ask for at least 1 hit, or leave it out for 5")
    if message.HasField("design_snr_db") and not -20 <= message.design_snr_db <= 40:
        raise InvalidSetting(f"design_snr_db = {message.design_snr_db:g}: expect -20 to 40 dB")
    return SendRequest(
        image=message.image,
        codec=message.codec if message.HasField("codec") else None,
        k=message.k if message.HasField("k") else None,
        channel=override_from_wire(message.channel) if message.HasField("channel") else None,
        csi=csi_from_wire(message.csi),
        pilot_symbols=message.pilot_symbols if message.HasField("pilot_symbols") else None,
        pilot_pattern=pilot_pattern_from_wire(message.pilot_pattern),
        stream=message.stream if message.HasField("stream") else None,
        counter=message.counter if message.HasField("counter") else None,
        top_k=top_k_from_wire(message.top_k),
        trace=message.trace,
        design_snr_db=message.design_snr_db if message.HasField("design_snr_db") else None,
        ask=_ask_from_wire(message.ask_for_more) if message.HasField("ask_for_more") else None,
    )


def delivery_to_wire(sent: Sent) -> pb.Delivery:
    """The answer as a message."""
    reception = sent.reception
    nearest = reception.top[0]
    return pb.Delivery(
        item_id=nearest.item_id,
        label=nearest.label,
        distance=nearest.distance,
        confidence=reception.confidence,
        accepted=reception.accepted,
        reason=reception.reason,
        top=hits_to_wire(reception.top),
        codec=sent.codec.codec,
        k=sent.codec.k,
        cbr=sent.cbr,
        cbr_total=sent.cbr_total,
        csi=csi_to_wire(sent.csi),
        genies=sent.genies,
        channel=None if reception.channel is None else report_to_wire(reception.channel),
        snr_db_estimated=reception.snr_db_estimated,
        ledger=entries_to_wire(sent.ledger),
        total_seconds=sent.total_seconds,
        trace=None if reception.trace is None else trace_to_wire(reception.trace),
        knowledge_base=reception.knowledge_base,
        knowledge_base_version=reception.knowledge_base_version,
        pilot_symbols=sent.pilots,
        pilot_pattern=pilot_pattern_to_wire(sent.pilot_pattern if sent.pilots else None),
        rounds=map(_round_to_wire, sent.rounds),
    )


def _ask_from_wire(message: pb.AskForMore) -> AskForMore:
    certainty = message.certainty if message.HasField("certainty") else DEFAULT_CERTAINTY
    return AskForMore(
        certainty=checked_certainty("ask_for_more.certainty", certainty),
        k_max=message.k_max if message.HasField("k_max") else None,
    )


def _round_to_wire(one: Round) -> pb.Round:
    return pb.Round(
        k=one.k,
        counter=one.counter,
        pilot_symbols=one.pilots,
        payload_symbols=one.payload_symbols,
        cbr_total=one.cbr_total,
        confidence=one.confidence,
        certainty=one.certainty,
        snr_db_estimated=one.snr_db_estimated,
        seconds=one.seconds,
        failure=None if one.failure is None else failure_from(one.failure),
    )
