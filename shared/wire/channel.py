"""The channel's settings to protobuf messages and back; one table for all of them, drawn from the message itself.

A choice is an enum on the wire, whose names are the field's own: `fading = tdl-a` is FADING_TDL_A.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from google.protobuf.descriptor import EnumDescriptor

from protos.semlink.v1 import common_pb2 as common
from shared.errors import InvalidSetting
from shared.frame.burst import ChannelReport
from shared.phy import ChannelSettings


def _choices(enum: EnumDescriptor) -> dict[str, int]:
    """Names of an enum as settings have them, without the unspecified one."""
    prefix = enum.values_by_number[0].name.removesuffix("UNSPECIFIED")
    names = {value.name.removeprefix(prefix).lower().replace("_", "-"): value.number for value in enum.values}
    return {name: number for name, number in names.items() if number}


_CHOICES: Final = {
    field.name: _choices(field.enum_type)
    for field in common.ChannelSettings.DESCRIPTOR.fields
    if field.enum_type is not None
}
_NAMES: Final = {field: {number: name for name, number in names.items()} for field, names in _CHOICES.items()}


@lru_cache(maxsize=4096)
def settings_to_wire(settings: ChannelSettings) -> common.ChannelSettings:
    """All settings of the channel. The message is shared: copy it before a change."""
    message = override_to_wire(settings.model_dump())
    assert message is not None, "every field is set"
    return message


def settings_from_wire(message: common.ChannelSettings) -> ChannelSettings:
    """All settings of the channel, from a message that may hold some; the others are the defaults."""
    return _settings_from_bytes(message.SerializeToString(deterministic=True))


@lru_cache(maxsize=4096)
def _settings_from_bytes(message: bytes) -> ChannelSettings:
    return ChannelSettings().updated(**override_from_wire(common.ChannelSettings.FromString(message)))


def override_to_wire(override: Mapping[str, Any]) -> common.ChannelSettings | None:
    """Some settings of the channel; None for none. Raises InvalidSetting for a value that no message can hold."""
    known = {name: _number(name, value) for name, value in override.items() if value is not None}
    try:
        return common.ChannelSettings(**known) if known else None
    except (ValueError, TypeError) as error:
        raise InvalidSetting(f"a channel setting is out of its range: {error}") from error


def override_from_wire(message: common.ChannelSettings) -> dict[str, Any]:
    """The fields that are set, by name. Raises InvalidSetting for a choice without a meaning."""
    return {field.name: _value(field.name, value) for field, value in message.ListFields()}


def report_to_wire(report: ChannelReport) -> common.ChannelReport:
    """What the channel did, as a message."""
    return common.ChannelReport(
        snr_db_asked=report.snr_db_asked,
        snr_db_achieved=report.snr_db_achieved,
        fading=_CHOICES["fading"][report.fading],  # type: ignore[arg-type] # a number of the enum
        seed=report.seed,
        stream=report.stream,
        counter=report.counter,
        signal_power=report.signal_power,
        noise_power=report.noise_power,
        gain_real=report.gain.real,
        gain_imag=report.gain.imag,
        settings=settings_to_wire(report.settings),
        seconds=report.seconds,
        air_symbols=report.air_symbols,
        papr_db=report.papr_db,
    )


def report_from_wire(message: common.ChannelReport) -> ChannelReport:
    """What the channel did, from a message."""
    return ChannelReport(
        settings=settings_from_wire(message.settings),
        snr_db_achieved=message.snr_db_achieved,
        stream=message.stream,
        counter=message.counter,
        signal_power=message.signal_power,
        noise_power=message.noise_power,
        gain=complex(message.gain_real, message.gain_imag),
        seconds=message.seconds,
        air_symbols=message.air_symbols,
        papr_db=message.papr_db,
    )


def _number(field: str, value: Any) -> Any:
    names = _CHOICES.get(field)
    if names is None:
        return value
    if value not in names:
        raise InvalidSetting(f"{field} = {value!r}: choose from {', '.join(names)}")
    return names[value]


def _value(field: str, value: Any) -> Any:
    names = _NAMES.get(field)
    if names is None:
        return value
    if value not in names:
        raise InvalidSetting(f"{field} = {value}: choose from {', '.join(f'{n} ({s})' for n, s in names.items())}")
    return names[value]
