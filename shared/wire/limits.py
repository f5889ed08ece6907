"""How much a request may hold: one table, checked on the bytes and on the message, before anything is made of it.

bytes --size, number of fields--> message --length of each text, array and list--> conversion

What is checked later, by who knows better, has no limit here but the message's: a picture, by the decoder.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

from google.protobuf.message import Message

from shared.errors import InvalidInput
from shared.frame.symbols import BYTES_PER_SYMBOL, MAX_SYMBOLS
from shared.phy.conditions.schedule import MAX_CHANGES

_NAME: Final = 200
_TEXT: Final = 4096
_QUESTION: Final = 2000
_VECTOR: Final = 4 << 16
_TRACEPARENT: Final = 55  # of version 00; longer ones would hold more than a trace
_SYMBOLS: Final = BYTES_PER_SYMBOL * MAX_SYMBOLS
WHOLE: Final = 1 << 31
"""No limit but the message's."""

LIMITS: Final[Mapping[str, int]] = {
    "AddRequest.clip_fingerprint": _NAME,
    "AddRequest.items": 1024,
    "Burst.question": _QUESTION,
    "Burst.symbols": WHOLE,  # counted against its header, which says what is wrong
    "Burst.traceparent": _TRACEPARENT,
    "Bursts.bursts": 1024,
    "CodecSpec.clip_fingerprint": _NAME,
    "CodecSpec.codec": _NAME,
    "CodecSpec.fingerprint": _NAME,
    "Configure.codecs": 64,
    "Configure.required_posteriors": 64,
    "Embedding.clip_fingerprint": _NAME,
    "Embedding.values": _VECTOR,
    "Genie.gain": _SYMBOLS,
    "GetItemRequest.item_id": _TEXT,
    "ListRequest.label": _TEXT,
    "ListRequest.page": _NAME,
    "NewItem.caption": WHOLE,  # of one item: the store refuses this one alone
    "NewItem.embedding": _VECTOR,
    "NewItem.item_id": WHOLE,
    "NewItem.label": WHOLE,
    "NewItem.picture": WHOLE,
    "Question.follow": _NAME,
    "Question.text": _QUESTION,
    "RelabelRequest.labels": 100_000,
    "RemoveRequest.item_ids": 100_000,
    "RemoveSnapshotRequest.name": _NAME,
    "RestoreRequest.name": _NAME,
    "Schedule.changes": MAX_CHANGES,
    "Schedule.name": _NAME,
    "SearchRequest.embedding": _VECTOR,
    "SearchRequest.item_id": _TEXT,
    "SearchRequest.labels": 1000,
    "SearchRequest.picture": WHOLE,
    "SearchRequest.text": 10_000,
    "SendImageRequest.codec": _NAME,
    "SendImageRequest.image": WHOLE,
    "SendImageRequest.traceparent": _TRACEPARENT,
    "SetChannelRequest.preset": _NAME,
    "SnapshotRequest.name": _NAME,
}
"""Most characters of a text, bytes of an array, entries of a list, by message and field."""

_ONE_BY_ONE: Final = frozenset({"AddRequest.items", "Bursts.bursts"})  # checked when each is read, and refused alone
_LARGE: Final = frozenset({"AddRequest", "SearchRequest", "SendImageRequest"})  # they hold pictures
_COUNTED: Final = _LARGE | {"Bursts"}
_SMALL_BYTES: Final = 4 << 20
_COUNTED_BYTES: Final = 1 << 20  # of a smaller message the fields are counted when it is parsed: at most 100 MB of them
_MOST_FIELDS: Final = 4096


def check_bytes(data: bytes, kind: str) -> None:
    """Raise InvalidInput for bytes of a message of `kind` that would become far more than they are."""
    if len(data) > _SMALL_BYTES and kind not in _LARGE:
        raise InvalidInput(f"{kind} of {len(data)} bytes: at most {_SMALL_BYTES}; send it in several calls")
    if len(data) > _COUNTED_BYTES and kind in _COUNTED and _has_more_fields(data, _MOST_FIELDS):
        raise InvalidInput(f"{kind} of more than {_MOST_FIELDS} fields: send it in several calls")


def check_limits(message: Message) -> None:
    """Raise InvalidInput naming the field that holds more than `LIMITS` allows; a few us."""
    for check in _checks(type(message).DESCRIPTOR):
        check(message)


@cache
def _checks(kind: Any) -> tuple[Callable[[Any], None], ...]:
    made = (_check_of(field) for field in kind.fields)
    return tuple(check for check in made if check is not None)


def _check_of(field: Any) -> Callable[[Any], None] | None:
    """What is checked of a field; None for a number."""
    name, full = field.name, f"{field.containing_type.name}.{field.name}"
    is_message = field.message_type is not None
    if not field.is_repeated:
        if is_message:
            return lambda message: check_limits(getattr(message, name)) if message.HasField(name) else None
        if field.cpp_type != field.CPPTYPE_STRING:
            return None
    most = LIMITS[full] if field.file.package == "semlink.v1" else LIMITS.get(full, _TEXT)  # health and reflection
    deeper = is_message and full not in _ONE_BY_ONE and not field.message_type.GetOptions().map_entry

    def check(message: Any) -> None:
        found = getattr(message, name)
        if len(found) > most:
            raise InvalidInput(f"{full} of length {len(found)}: at most {most}")
        if deeper:
            for one in found:
                check_limits(one)

    return check


def _has_more_fields(data: bytes, most: int) -> bool:
    """Whether a serialized message has more than `most` fields at its top; its parts are skipped, not read."""
    place, size = 0, len(data)
    for _ in range(most):
        if place >= size:
            return False
        key, place = _varint(data, place)
        match key & 7:
            case 0:
                _, place = _varint(data, place)
            case 1:
                place += 8
            case 2:
                length, place = _varint(data, place)
                place += length
            case 5:
                place += 4
            case _:
                return False  # damaged, or a group: the parser refuses it
    return place < size


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """A number and the place behind it; of a number that is cut off, the end."""
    value = shift = 0
    while place < len(data) and shift < 70:
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
    return value, place
