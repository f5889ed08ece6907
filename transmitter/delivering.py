"""What the client gets of a picture: the last answer that came, with the costs of all rounds."""

from collections.abc import Sequence
from typing import cast

from shared.frame.burst import burst_name
from shared.frame.delivery import Delivery
from shared.frame.reception import ChannelReport, Trace
from shared.ledger import Ledger
from transmitter.harq import Exchange
from transmitter.planning import Plan


def delivery_of(
    plan: Plan, exchanges: Sequence[Exchange], ledger: Ledger, trace: Trace | None, source_values: float
) -> Delivery:
    """The last answer that came, with what was sent in all rounds."""
    arrived = [(each.burst, each.reception) for each in exchanges if each.reception is not None]
    burst, reception = arrived[-1]
    nearest = reception.top[0]
    return Delivery(
        item_id=nearest.item_id,
        label=nearest.label,
        distance=nearest.distance,
        confidence=reception.confidence,
        accepted=reception.accepted,
        reason=reception.reason,
        top=reception.top,
        codec=burst.codec.codec,
        k=burst.codec.k,
        cbr=sum(each.burst.payload_symbols for each in exchanges) / source_values,
        cbr_total=sum(each.channel_uses for each in exchanges) / source_values,
        csi=plan.csi,
        genies=plan.genies,
        framing=plan.framing,
        header_symbols=sum(each.header_symbols for each in exchanges),
        pilot_symbols=plan.pilot_symbols,
        pilot_pattern=plan.pilot_pattern if plan.pilot_symbols else None,
        snr_db_estimated=reception.snr_db_estimated,
        channel=cast(ChannelReport, reception.channel),  # unread, as the channel sent it
        ledger=ledger.merged(),
        total_seconds=ledger.total_seconds,
        knowledge_base=reception.knowledge_base,
        knowledge_base_version=reception.knowledge_base_version,
        trace=trace,
        burst_id=burst_name(burst.burst_id),
        rounds=tuple(each.as_round(source_values) for each in exchanges) if plan.harq or plan.retransmissions else (),
    )
