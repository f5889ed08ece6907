"""A stream of new items to the receiver, and the outcome for each."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import count

from client.pictures import picture_bytes
from protos.semlink.v1 import knowledge_base_pb2 as api
from shared.errors import SemLinkError
from shared.frame.kb import Added, NewItem
from shared.wire import from_message, to_message
from shared.wire.failure import error_from_failure

_REQUEST_ITEMS = 256
_REQUEST_BYTES = 4 << 20


class Adding:
    """One stream of items. gRPC takes `requests` in a thread of its own; `outcomes` are for whoever reads the answers.

    clip_fingerprint: of the CLIP that made the embeddings
    """

    def __init__(self, items: Iterable[NewItem], clip_fingerprint: str) -> None:
        self._items = items
        self._clip_fingerprint = clip_fingerprint
        self._numbers = count(1)
        self._waiting: dict[int, list[str]] = {}
        self._unreadable: deque[Added] = deque()
        self._broken: Exception | None = None

    def requests(self) -> Iterator[api.AddRequest]:
        """Items gathered into messages of a good size."""
        gathered: list[api.NewItem] = []
        size = 0
        for message in self._messages():
            if gathered and (len(gathered) >= _REQUEST_ITEMS or size + message.ByteSize() > _REQUEST_BYTES):
                yield self._request(gathered)
                gathered, size = [], 0
            gathered.append(message)
            size += message.ByteSize()
        if gathered:
            yield self._request(gathered)

    def outcomes(self, response: api.AddResponse | None) -> Iterator[Added]:
        """Outcomes of the items of one request, and of those that could not be read; None at the end of the stream.

        At the end it raises what the caller's own iterable raised.
        """
        if response is not None:
            item_ids = self._waiting.pop(response.request_id)
            if response.HasField("failure"):
                error = error_from_failure(response.failure)
                yield from (Added(item_id, error) for item_id in item_ids)
            yield from (from_message(one, Added) for one in response.items)
        while self._unreadable:
            yield self._unreadable.popleft()
        if response is None and self._broken is not None:
            raise self._broken

    def _messages(self) -> Iterator[api.NewItem]:
        """One message for each item that can be read; gRPC would hide an exception that leaves here."""
        try:
            for item in self._items:
                try:
                    yield _message(item)
                except SemLinkError as error:
                    self._unreadable.append(Added(item.item_id, error))
        except Exception as error:
            self._broken = error

    def _request(self, items: list[api.NewItem]) -> api.AddRequest:
        number = next(self._numbers)
        self._waiting[number] = [item.item_id for item in items]
        return api.AddRequest(request_id=number, items=items, clip_fingerprint=self._clip_fingerprint)


def _message(item: NewItem) -> api.NewItem:
    picture = None if item.embedding is not None or item.picture is None else picture_bytes(item.picture)
    return to_message(replace(item, picture=picture), api.NewItem)
