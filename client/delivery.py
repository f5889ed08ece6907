"""The answer as the client has it: with the access network booked in its ledger."""

import math
from collections.abc import Sequence
from dataclasses import replace

from protos.semlink.v1 import transmitter_pb2 as api
from shared.frame.delivery import Delivery
from shared.ledger import Entry, Kind, Stage, place_of
from shared.wire import from_message


def read_delivery(message: api.Delivery, round_trip_seconds: float) -> Delivery:
    """The Delivery of an answer, with the access network booked in its ledger.

    round_trip_seconds: measured by this client, from handing the request to gRPC to holding the answer.
    """
    delivery = from_message(message, Delivery)
    ledger = _with_access(delivery.ledger, round_trip_seconds)
    return replace(delivery, ledger=ledger, total_seconds=math.fsum(entry.seconds for entry in ledger))


def _with_access(entries: Sequence[Entry], round_trip_seconds: float) -> tuple[Entry, ...]:
    """Add what the round trip took beyond the transmitter's measured stages; all in the order of the way."""
    inside = math.fsum(entry.seconds for entry in entries if entry.kind is Kind.MEASURED)
    access = Entry(Stage.ACCESS, max(0.0, round_trip_seconds - inside))
    return tuple(sorted((access, *entries), key=lambda entry: place_of(entry.stage)))
