"""What both forms of `send_many` share: who waits for an answer, and in which order answers leave."""

from collections.abc import Iterator
from time import perf_counter
from typing import NamedTuple

from client.delivery import read_delivery
from client.options import SendOptions, build_request
from client.pictures import Picture
from protos.semlink.v1 import transmitter_pb2 as api
from shared.errors import InvalidSetting, SemLinkError
from shared.frame.delivery import Delivery
from shared.wire.failure import error_from_failure

IN_FLIGHT = 16


class Answer(NamedTuple):
    """What became of one picture of a stream.

    position: its place in what was given to `send_many`, from 0. outcome: its delivery, or the error that it met.
    """

    position: int
    outcome: Delivery | SemLinkError


class Journal:
    """The pictures of one stream that were handed over and not yet answered."""

    def __init__(self, options: SendOptions) -> None:
        self._options = options
        self._waiting: dict[int, float] = {}

    def request(self, position: int, picture: Picture) -> api.SendImageRequest:
        """The request of one picture; its round trip is counted from here."""
        request = build_request(picture, self._options, position)
        self._waiting[position] = perf_counter()
        return request

    def settle(self, response: api.SendImagesResponse) -> Answer | None:
        """The answer in a response; None for a picture that waits for none."""
        start = self._waiting.pop(response.request_id, None)
        if start is None:
            return None
        if response.WhichOneof("outcome") == "delivery":
            return Answer(response.request_id, read_delivery(response.delivery, perf_counter() - start))
        return Answer(response.request_id, error_from_failure(response.failure))

    def abandon(self, error: SemLinkError) -> list[Answer]:
        """The same answer to all that still wait."""
        answers = [Answer(position, error) for position in sorted(self._waiting)]
        self._waiting.clear()
        return answers


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
