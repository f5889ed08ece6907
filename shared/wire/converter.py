"""Dataclasses and named tuples to protobuf messages and back, by the names and types of their fields.

    number, text, flag       the same                    array        bytes, little endian
    Literal, StrEnum         enum value of that name     tuple        repeated
    dataclass, named tuple   message                     dict         map
    Mapping                  message, the fields set     X | None     unset for None

Every field of the class is a field of the message by the same name; other fields of the message stay unset. The names
of an enum's values are those of the class, behind the enum's own: `fading = tdl-a` is FADING_TDL_A.

For each pair of a class and a message two functions are written as text and compiled once, as `dataclasses` does for
`__init__`; a loop over the fields takes three times as long.
"""

import dataclasses
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any, Final, TypeVar, get_args, get_origin, get_type_hints

from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from shared.errors import InvalidInput, InvalidSetting
from shared.frame.symbols import pack_floats, pack_symbols, unpack_floats, unpack_symbols
from shared.types import Complex, Floats

AnyMessage = TypeVar("AnyMessage", bound=Message)
Value = TypeVar("Value")
Convert = Callable[[Any], Any]
Descriptor = Any
"""Of a field or an enum: protobuf's implementations have classes of their own for it."""

_REQUIRED: Final = object()
_registered: Final[dict[Any, tuple[Convert, Convert]]] = {
    Complex: (pack_symbols, unpack_symbols),
    Floats: (pack_floats, unpack_floats),
}


def register(kind: Any, write: Convert, read: Convert) -> None:
    """Convert fields of type `kind` by functions of their own, to the wire and back."""
    _registered[kind] = write, read


def to_message(value: Any, kind: type[AnyMessage]) -> AnyMessage:
    """A message of `kind` with the fields of `value`. Raises InvalidSetting naming a field that it cannot hold."""
    write = _writer(type(value), kind)
    try:
        message: AnyMessage = write(value)
    except (ValueError, TypeError) as error:
        given = {name: getattr(value, name) for name in _hints(type(value))}
        raise _out_of_range(given, kind, error) from error
    return message


def from_message(message: Message, kind: type[Value], unread: tuple[str, ...] = ()) -> Value:
    """A `kind` with the fields of `message`; a field that is not set has its default.

    unread: fields whose messages are kept, to be passed on. Raises InvalidInput naming a wrong field.
    """
    value: Value = _reader(kind, type(message), unread)(message)
    return value


def mapping_to_message(fields: Mapping[str, Any], kind: type[AnyMessage]) -> AnyMessage:
    """A message with only these fields, without those that are None. Raises InvalidSetting naming a wrong one."""
    enums = _enums(kind)
    given = {name: value for name, value in fields.items() if value is not None}
    numbers = {name: enums[name][value] for name, value in given.items() if name in enums}
    try:
        return kind(**given | numbers)
    except (ValueError, TypeError) as error:
        raise _out_of_range(given, kind, error) from error


def message_to_mapping(message: Message) -> dict[str, Any]:
    """The fields that are set, by name. Raises InvalidSetting for a choice without a meaning."""
    enums = _enums(type(message))
    return {
        field.name: enums[field.name].names[value] if field.name in enums else value
        for field, value in message.ListFields()
    }


class Choices(dict[Any, int | None]):
    """The numbers of an enum by the names that the classes use; None for None. names: the other way round.

    kind: what makes of a name what the class has. unset: what it has for the unspecified number.
    """

    def __init__(self, field: Descriptor, kind: Convert = str, unset: Any = _REQUIRED) -> None:
        enum, self._field = field.enum_type, field.name
        prefix = enum.values_by_number[0].name.removesuffix("UNSPECIFIED")
        numbers = {one.name.removeprefix(prefix).lower().replace("_", "-"): one.number for one in enum.values[1:]}
        super().__init__({None: None} | numbers)
        self.names = _Names(field.name, {number: kind(name) for name, number in numbers.items()})
        if unset is not _REQUIRED:
            self.names[0] = unset

    def __missing__(self, name: Any) -> int:
        raise InvalidSetting(f"{self._field} = {name!r}: choose from {', '.join(filter(None, self))}")


class _Names(dict[int, Any]):
    """The names of an enum by number."""

    def __init__(self, field: str, names: dict[int, Any]) -> None:
        super().__init__(names)
        self._field, self._choices = field, ", ".join(f"{number} ({name})" for number, name in names.items())

    def __missing__(self, number: int) -> Any:
        raise InvalidSetting(f"{self._field} = {number}: choose from {self._choices}")


def _make_enums(kind: type[Message]) -> dict[str, Choices]:
    return {field.name: Choices(field) for field in kind.DESCRIPTOR.fields if field.enum_type is not None}


def _make_writer(kind: Any, message: Any) -> Convert:
    """The function that makes a `message` of a `kind`."""
    names: dict[str, Any] = {"new": message}
    fields = _fields(kind, message)
    arguments = ", ".join(f"{name}={_written(field, hint, names)}" for name, field, hint, _ in fields)
    return _compiled(f"lambda value: new({arguments})", names)


def _written(field: Descriptor, hint: Any, names: dict[str, Any]) -> str:
    """What is written of one field, as an expression; the functions that it calls are added to `names`."""
    name, element = field.name, _element(hint)
    if element in _registered:
        names[name] = _registered[element][0]
    elif field.enum_type is not None:
        names[name] = Choices(field)
        return f"{name}[value.{name}]"
    elif not _is_message(field):
        return f"value.{name}"
    else:
        inner = GetMessageClass(field.message_type)
        names[name] = partial(mapping_to_message, kind=inner) if element is Mapping else _writer(element, inner)
    if field.is_repeated:
        return f"[{name}(one) for one in value.{name}]"
    names[f"{name}_message"] = GetMessageClass(field.message_type) if _is_message(field) else None
    unread = f"value.{name} if type(value.{name}) is {name}_message else "
    return f"None if value.{name} is None else {unread if _is_message(field) else ''}{name}(value.{name})"


def _make_reader(kind: Any, message: Any, unread: tuple[str, ...]) -> Convert:
    """The function that makes a `kind` of a `message`."""
    names: dict[str, Any] = {"new": kind}
    arguments = []
    for name, field, hint, default in _fields(kind, message):
        part = f"message.{name}" if name in unread else _read(field, hint, names, default)
        if default is not _REQUIRED and field.enum_type is None:
            names[f"{name}_default"] = default
            is_set = f"message.HasField('{name}')" if field.has_presence else f"message.{name}"
            part = f"{part} if {is_set} else {name}_default"
        arguments.append(part if issubclass(kind, tuple) else f"{name}={part}")  # a named tuple takes them faster so
    return _compiled(f"lambda message: new({', '.join(arguments)})", names)


def _read(field: Descriptor, hint: Any, names: dict[str, Any], default: Any) -> str:
    """What is read of one field, as an expression; the functions that it calls are added to `names`."""
    name, element = field.name, _element(hint)
    if element in _registered:
        read = _registered[element][1]
        names[name] = read if _is_message(field) else partial(_named, name, read)
    elif field.enum_type is not None:
        names[name] = Choices(field, element if isinstance(element, type) else str, default).names
        return f"{name}[message.{name}]"
    elif _is_message(field):
        inner = GetMessageClass(field.message_type)
        names[name] = message_to_mapping if element is Mapping else _reader(element, inner, ())
    elif field.is_repeated:
        return f"{'dict' if field.message_type else 'tuple'}(message.{name})"
    else:
        return f"message.{name}"
    return f"tuple([{name}(one) for one in message.{name}])" if field.is_repeated else f"{name}(message.{name})"


_enums: Final[Callable[[Any], dict[str, Choices]]] = cache(_make_enums)
_writer: Final[Callable[[Any, Any], Convert]] = cache(_make_writer)
_reader: Final[Callable[[Any, Any, tuple[str, ...]], Convert]] = cache(_make_reader)


def _fields(kind: Any, message: type[Message]) -> list[tuple[str, Descriptor, Any, Any]]:
    """Name, descriptor, type without None, and default of each field; `_REQUIRED` where the field's zero is a value."""
    known = message.DESCRIPTOR.fields_by_name
    if missing := _hints(kind).keys() - known.keys():
        raise TypeError(f"{message.__name__} has no field {', '.join(sorted(missing))} of {kind.__name__}")
    found: list[tuple[str, Descriptor, Any, Any]] = []
    for name, hint in _hints(kind).items():
        field: Descriptor = known[name]
        optional = type(None) in get_args(hint)
        default = None if optional else _REQUIRED
        if field.has_presence or field.enum_type is not None:
            default = getattr(kind, "_field_defaults", _defaults(kind)).get(name, default)
        inner = next(part for part in get_args(hint) if part is not type(None)) if optional else hint
        found.append((name, field, inner, default))
    return found


def _hints(kind: Any) -> dict[str, Any]:
    return {"real": float, "imag": float} if kind is complex else get_type_hints(kind)


def _defaults(kind: Any) -> dict[str, Any]:
    fields = dataclasses.fields(kind) if dataclasses.is_dataclass(kind) else ()
    return {field.name: field.default for field in fields if field.default is not dataclasses.MISSING}


def _element(hint: Any) -> Any:
    """The type of one value of a field: of a tuple's elements, or its own."""
    origin = get_origin(hint)
    return get_args(hint)[0] if origin is tuple else Mapping if origin is Mapping else hint


def _is_message(field: Descriptor) -> bool:
    return field.message_type is not None and not field.message_type.GetOptions().map_entry


def _compiled(text: str, names: dict[str, Any]) -> Convert:
    function: Convert = eval(text, names)  # names of fields are all that varies in it
    return function


def _named(name: str, read: Convert, data: bytes) -> Any:
    try:
        return read(data)
    except InvalidInput as error:
        raise type(error)(f"{name}: {error}") from error


def _out_of_range(given: Mapping[str, Any], kind: type[Message], error: Exception) -> InvalidSetting:
    """The error that names the field which no message of `kind` can hold."""
    for name, value in given.items():
        try:
            kind(**{name: value})
        except (ValueError, TypeError):
            if isinstance(value, int | float | str | bytes) or name not in kind.DESCRIPTOR.fields_by_name:
                return InvalidSetting(f"{name} = {value!r} is out of its range: {error}")
    return InvalidSetting(f"a field of {kind.__name__} is out of its range: {error}")
