"""Protobuf messages with something wrong: fields of the wrong value, size or number, then bytes of the wrong value."""

import math
from random import Random
from typing import Any, Final, TypeVar

from google.protobuf.descriptor import FieldDescriptor as Field
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

AnyMessage = TypeVar("AnyMessage", bound=Message)
_INTEGERS: Final = (
    0,
    1,
    2,
    3,
    5,
    16,
    64,
    100,
    1024,
    65535,
    65536,
    2**31 - 1,
    2**32 - 1,
    2**63 - 1,
    2**64 - 1,
    -1,
    -(2**63),
)
_FLOATS: Final = (0.0, -0.0, 0.5, 1.0, -1.0, 20.0, 1e-300, 1e30, 1e308, math.inf, -math.inf, math.nan)
_TEXTS: Final = (
    "", "a", "raw", "nested", "kbsc", "../../etc/passwd", "[/red]", "\x1b[2J\x07", "\u202ecod.exe", "\0", "%s%n",
    "'; DROP TABLE items; --", "item-1", "0", "-1", "NaN", "\U0001f408" * 9, "x" * 300, "y" * 5000, "z " * 30_000,
)  # fmt: skip
_TYPES: Final = {
    Field.CPPTYPE_BOOL: bool, Field.CPPTYPE_INT32: 32, Field.CPPTYPE_INT64: 64, Field.CPPTYPE_UINT32: -32,
    Field.CPPTYPE_UINT64: -64,
}  # fmt: skip


def filled(kind: type[Message], rng: Random, depth: int = 0) -> Message:
    """A message with most of its fields set, each to a value of its type."""
    message = kind()
    for field in kind.DESCRIPTOR.fields:
        if rng.random() < 0.8 and depth < 4:
            _change(message, field, rng, depth)
    return message


def changed(message: AnyMessage, rng: Random) -> AnyMessage:
    """A message after a few changes of its fields."""
    copy = type(message)()
    copy.CopyFrom(message)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        part = _part(copy, rng)
        if part.DESCRIPTOR.fields:
            _change(part, rng.choice(part.DESCRIPTOR.fields), rng, 2)
    return copy


def mutated(message: Message, rng: Random) -> bytes:
    """The bytes of a message after a few changes, of its bytes too."""
    data = changed(message, rng).SerializeToString()
    return damaged(data, rng) if rng.random() < 0.25 else data


def mutated_bytes(data: bytes, kind: type[Message], rng: Random) -> bytes:
    """The same of a message that is given as bytes; those that are none are damaged further."""
    try:
        return mutated(kind.FromString(data), rng)
    except DecodeError:
        return damaged(data, rng)


def damaged(data: bytes, rng: Random) -> bytes:
    """Bytes with some flipped, cut off, taken out, doubled or put in."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        place, length = rng.randrange(len(out) + 1), rng.choice((1, 1, 2, 8, 64))
        match rng.randrange(5):
            case 0 if place < len(out):
                out[place] ^= 1 << rng.randrange(8)
            case 1:
                del out[place:]
            case 2:
                del out[place : place + length]
            case 3:
                out[place:place] = out[place : place + length]
            case _:
                out[place:place] = rng.randbytes(length)
    return bytes(out)


def _part(message: Message, rng: Random) -> Message:
    """The message, or one within it."""
    inner: list[Message] = []
    for field, value in message.ListFields():
        if field.message_type is not None and not field.message_type.GetOptions().map_entry:
            inner += list(value)[:3] if field.is_repeated else [value]
    return _part(rng.choice(inner), rng) if inner and rng.random() < 0.6 else message


def _change(message: Message, field: Any, rng: Random, depth: int) -> None:
    """Give a field another value, or none."""
    if rng.random() < 0.1:
        message.ClearField(field.name)
    elif field.message_type is not None and field.message_type.GetOptions().map_entry:
        getattr(message, field.name)[rng.choice(_TEXTS)] = rng.choice(_TEXTS)
    elif field.is_repeated:
        _lengthen(getattr(message, field.name), field, rng, depth)
    elif field.message_type is not None:
        getattr(message, field.name).CopyFrom(filled(GetMessageClass(field.message_type), rng, depth + 1))
    else:
        setattr(message, field.name, _value(field, rng))


def _lengthen(values: Any, field: Any, rng: Random, depth: int) -> None:
    count = rng.choice((1, 1, 2, 5, 70))
    if field.message_type is None:
        values.extend(_value(field, rng) for _ in range(count))
        return
    one = rng.choice(values) if len(values) and rng.random() < 0.7 else None
    one = one or filled(GetMessageClass(field.message_type), rng, depth + 1)
    values.extend([one] * count)


def _value(field: Any, rng: Random) -> Any:
    match field.cpp_type:
        case Field.CPPTYPE_STRING if field.type == Field.TYPE_BYTES:
            return rng.randbytes(rng.choice((0, 1, 4, 7, 8, 64, 512, 2048)))
        case Field.CPPTYPE_STRING:
            return rng.choice(_TEXTS)
        case Field.CPPTYPE_DOUBLE | Field.CPPTYPE_FLOAT:
            return rng.choice((*_FLOATS, rng.uniform(-100, 100)))
        case Field.CPPTYPE_ENUM:
            return rng.choice((0, 1, 2, 3, 4, 9, -1, 2**31 - 1))
        case Field.CPPTYPE_BOOL:
            return rng.random() < 0.5
        case other:
            return _integer(rng.choice((*_INTEGERS, rng.randrange(600))), _TYPES[other])


def _integer(value: int, bits: int) -> int:
    """A number as one that the type holds. bits: negative for one without a sign."""
    kept = value & ((1 << abs(bits)) - 1)
    return kept - (1 << bits) if bits > 0 and kept >> (bits - 1) else kept
