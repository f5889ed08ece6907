"""What both clients share: the ledger of an answer, and who waits for one, and in which order answers leave."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from time import perf_counter
from typing import Any, NamedTuple

import grpc

from client.connection import error_of
from protos.semlink.v1 import transmitter_pb2 as api
from shared.errors import InvalidSetting, SemLinkError, Unavailable
from shared.frame.delivery import Delivery
from shared.ledger import Entry, Kind, Stage, place_of
from shared.observe.tracing import TRACEPARENT, Calls, call_span, note_delivery, stage_spans
from shared.wire import from_message
from shared.wire.failure import error_from_failure

IN_FLIGHT = 16

Build = Callable[..., api.SendImageRequest]
"""`build(given, request_id=position)`: what a caller gave, to a request."""


class Answer(NamedTuple):
    """What became of one picture of a stream.

    position: its place in what was given to `send_many` or `ask_many`, from 0. outcome: its delivery, or the error that
    it met.
    """

    position: int
    outcome: Delivery | SemLinkError


def read_delivery(message: api.Delivery, round_trip_seconds: float) -> Delivery:
    """The Delivery of an answer, with the access network booked in its ledger.

    round_trip_seconds: measured by this client, from handing the request to gRPC to holding the answer.
    """
    delivery = from_message(message, Delivery)
    inside = math.fsum(entry.seconds for entry in delivery.ledger if entry.kind is Kind.MEASURED)
    access = Entry(Stage.ACCESS, max(0.0, round_trip_seconds - inside))
    ledger = tuple(sorted((access, *delivery.ledger), key=lambda entry: place_of(entry.stage)))
    return replace(delivery, ledger=ledger, total_seconds=math.fsum(entry.seconds for entry in ledger))


@contextmanager
def sending() -> Iterator[tuple[tuple[str, str], ...] | None]:
    """A span around the call that sends one picture, where traces are on; gives the call's metadata."""
    with call_span("SendImage", root=True) as traceparent:
        yield ((TRACEPARENT, traceparent),) if traceparent else None


def noted(delivery: Delivery) -> Delivery:
    """The delivery, told to the span of its call."""
    note_delivery(delivery)
    stage_spans(entry for entry in delivery.ledger if entry.stage == Stage.ACCESS)
    return delivery


class Journal:
    """The pictures of one stream that were handed over and not yet answered.

    build: makes the request of what was given at a position. address: of the transmitter. put: takes each answer to
    whoever waits for it, and None after the last. raised: what ended the stream, if anything did.
    """

    def __init__(self, build: Build, address: str, put: Callable[[Answer | None], None]) -> None:
        self._build = build
        self._address = address
        self._put = put
        self._waiting: dict[int, float] = {}
        self._calls = Calls("SendImages")
        self.raised: Exception | None = None

    def request(self, position: int, given: Any) -> api.SendImageRequest | Answer:
        """The request of one picture, whose round trip is counted from here; an answer if it cannot become one."""
        try:
            request = self._build(given, request_id=position)
        except SemLinkError as error:
            return Answer(position, error)
        request.traceparent = self._calls.begin(position)
        self._waiting[position] = perf_counter()
        return request

    @contextmanager
    def taking(self) -> Iterator[None]:
        """While pictures are taken: what the caller's iterable raises is raised where the answers are read."""
        try:
            yield
        except Exception as error:
            self.raised = error

    @contextmanager
    def reading(self) -> Iterator[None]:
        """While responses are read: at the end, pictures that still wait are answered with the error that ended it."""
        lost: SemLinkError = Unavailable(f"{self._address} ended the stream without an answer to this picture")
        try:
            yield
        except grpc.RpcError as error:
            self.raised = lost = error_of(error, self._address)
        except Exception as error:  # an answer that cannot be read
            self.raised = error
        for position in sorted(self._waiting):
            self._calls.end(position, str(lost))
            self._put(Answer(position, lost))
        self._waiting.clear()
        self._put(None)

    def settle(self, response: api.SendImagesResponse) -> None:
        """Pass on the answer in a response, unless its picture waits for none."""
        start = self._waiting.pop(response.request_id, None)
        if start is None:
            return
        if response.WhichOneof("outcome") == "delivery":
            delivery = read_delivery(response.delivery, perf_counter() - start)
            self._calls.end(response.request_id, burst_id=delivery.burst_id, codec=delivery.codec, k=delivery.k)
            self._put(Answer(response.request_id, delivery))
        else:
            error = error_from_failure(response.failure)
            self._calls.end(response.request_id, str(error))
            self._put(Answer(response.request_id, error))


class Order:
    """Lets answers through as they come or, when `ordered`, in the order of the pictures."""

    def __init__(self, ordered: bool) -> None:
        self._ordered = ordered
        self._held: dict[int, Answer] = {}
        self._next = 0

    def put(self, answer: Answer) -> Iterator[Answer]:
        """The answers that may leave now that this one is here."""
        if not self._ordered:
            yield answer
            return
        self._held[answer.position] = answer
        while (ready := self._held.pop(self._next, None)) is not None:
            self._next += 1
            yield ready


def checked_in_flight(in_flight: int) -> int:
    """The limit on pictures sent and not yet answered, if it is one."""
    if in_flight < 1:
        raise InvalidSetting(f"in_flight = {in_flight}: at least one picture must be on its way")
    return in_flight
