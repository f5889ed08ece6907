"""The channel's settings as a message: every one travels there and back, alone and together."""

import math
from typing import Any, get_args

import pytest

from protos.semlink.v1 import common_pb2 as common
from shared.errors import InvalidSetting
from shared.phy import ChannelSettings
from shared.wire import channel as channel_wire
from shared.wire.converter import message_to_mapping


def other_values() -> dict[str, Any]:
    """For every setting of the channel a value that is not its default."""
    fields = ChannelSettings.model_fields
    names = {name: get_args(field.annotation)[-1] for name, field in fields.items() if get_args(field.annotation)}
    numbers = {
        name: field.default + 1 if field.annotation is int else 0.4375
        for name, field in fields.items()
        if field.annotation in (int, float)
    }
    flags = {name: not field.default for name, field in fields.items() if field.annotation is bool}
    own = {
        "seed": 2**64 - 1,
        "fft_size": 4096,
        "delay_spread_seconds": 5e-4,
        "pa_smoothness": 3.5,
        "symbol_rate_hz": 7.5,
    }
    return names | numbers | flags | own


OTHER = other_values() | {"coherence_symbols": 0}  # it does not go with doppler_hz


def test_every_setting_is_in_the_message_and_travels_there_and_back() -> None:
    described = {field.name for field in common.ChannelSettings.DESCRIPTOR.fields}
    assert described == set(ChannelSettings.model_fields) == set(OTHER)
    settings = ChannelSettings().updated(**OTHER)
    assert {name for name in OTHER if getattr(settings, name) == getattr(ChannelSettings(), name)} == {
        "coherence_symbols"
    }
    data = channel_wire.settings_to_wire(settings).SerializeToString()
    assert channel_wire.settings_from_wire(common.ChannelSettings.FromString(data)) == settings
    override = channel_wire.override_to_wire(OTHER)
    assert override is not None
    assert message_to_mapping(common.ChannelSettings.FromString(override.SerializeToString())) == OTHER


@pytest.mark.parametrize("name", sorted(ChannelSettings.model_fields))
def test_a_setting_alone_is_an_override_of_itself_alone(name: str) -> None:
    override = {name: other_values()[name]}
    message = channel_wire.override_to_wire(override)
    assert message is not None
    assert len(message.ListFields()) == 1
    assert message_to_mapping(common.ChannelSettings.FromString(message.SerializeToString())) == override


@pytest.mark.parametrize(
    ("field", "choices"),
    [
        (name, get_args(field.annotation))
        for name, field in ChannelSettings.model_fields.items()
        if get_args(field.annotation)
    ],
)
def test_every_choice_has_a_number_and_every_number_a_choice(field: str, choices: tuple[str, ...]) -> None:
    enum = common.ChannelSettings.DESCRIPTOR.fields_by_name[field].enum_type
    assert len(enum.values) == len(choices) + 1  # one of them is "unspecified"
    for choice in choices:
        message = channel_wire.override_to_wire({field: choice})
        assert message is not None
        assert message_to_mapping(message) == {field: choice}


def test_a_new_setting_takes_the_next_number() -> None:
    """Numbers are never moved: a client in another language has them."""
    numbers = [field.number for field in common.ChannelSettings.DESCRIPTOR.fields]
    assert numbers == list(range(1, len(numbers) + 1))
    assert {"snr_db": 1, "delay_spread_seconds": 13, "adc_bits": 27, "blackout": 46}.items() <= {
        field.name: field.number for field in common.ChannelSettings.DESCRIPTOR.fields
    }.items()


def test_infinities_travel() -> None:
    settings = ChannelSettings(snr_db=math.inf, sir_db=math.inf, pa_backoff_db=math.inf)
    message = common.ChannelSettings.FromString(channel_wire.settings_to_wire(settings).SerializeToString())
    assert channel_wire.settings_from_wire(message) == settings


def test_only_fields_that_are_set_are_an_override() -> None:
    assert channel_wire.override_to_wire({}) is None
    assert channel_wire.override_to_wire({"snr_db": None}) is None
    message = channel_wire.override_to_wire({"snr_db": 0.0, "seed": 0})
    assert message is not None
    assert message.SerializeToString().hex() == "09" + "00" * 8 + "1800"
    assert message_to_mapping(message) == {"snr_db": 0.0, "seed": 0}
    with pytest.raises(InvalidSetting, match="fading = 'fog'"):
        channel_wire.override_to_wire({"fading": "fog"})
