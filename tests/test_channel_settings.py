"""Settings: every accepted one runs, every refused one names its field, its value and its range."""

import math
from typing import get_args

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.channel import ChannelSettings, FadingName, Link, pilot_sequence
from shared.channel.settings import SELECTIVE
from shared.errors import InvalidSetting

WORD = (1 << 64) - 1
ACCEPTED = {
    "snr_db": st.floats(-50, 100) | st.just(math.inf),
    "fading": st.sampled_from([name for name in get_args(FadingName) if name not in SELECTIVE]),
    "seed": st.integers(0, WORD),
    "symbol_rate_hz": st.floats(1, 1e12),
    "propagation_seconds": st.floats(0, 10),
}
NOT_FINITE = st.sampled_from([math.nan, math.inf, -math.inf])
REFUSED = {
    "snr_db": st.floats(max_value=-50, exclude_max=True)
    | st.floats(100, 1e300, exclude_min=True)
    | st.sampled_from([math.nan, -math.inf, "loud"]),
    "fading": st.text().filter(lambda name: name not in get_args(FadingName)) | st.integers(),
    "seed": st.integers(max_value=-1) | st.integers(min_value=1 << 64) | st.sampled_from([0.5, math.nan, "x"]),
    "symbol_rate_hz": st.floats(max_value=1, exclude_max=True) | st.floats(1e12, 1e300, exclude_min=True) | NOT_FINITE,
    "propagation_seconds": st.floats(max_value=0, exclude_max=True) | st.floats(10, exclude_min=True) | NOT_FINITE,
}
RANGES = {
    "snr_db": "-50 to 100, or inf",
    "fading": "none, rayleigh, rician, kbsc",
    "seed": "0 to 2^64 - 1",
    "symbol_rate_hz": "1 to 1e+12",
    "propagation_seconds": "0 to 10",
}


@given(st.fixed_dictionaries({}, optional=ACCEPTED), st.integers(0, WORD), st.integers(0, WORD))
@example({"snr_db": -50.0, "fading": "rayleigh", "seed": WORD}, WORD, WORD)
@example({"snr_db": 100.0}, 0, 0)
def test_every_accepted_setting_runs(fields, stream, counter):
    settings = ChannelSettings().updated(**fields)
    assert settings == ChannelSettings(**fields)
    sent = Link.from_settings(settings).transmit(pilot_sequence(8), stream, counter)
    assert np.isfinite(sent.y).all()
    assert math.isfinite(sent.signal_power + sent.noise_power + sent.n0)
    assert sent.snr_db_achieved == math.inf if settings.snr_db == math.inf else math.isfinite(sent.snr_db_achieved)


@given(st.sampled_from(sorted(REFUSED)).flatmap(lambda name: st.tuples(st.just(name), REFUSED[name])))
def test_every_refused_setting_names_its_field_value_and_range(wrong):
    name, value = wrong
    with pytest.raises(InvalidSetting) as refusal:
        ChannelSettings().updated(**{name: value})
    message = str(refusal.value)
    assert message.startswith(f"{name} = {value!r}: ")
    assert RANGES[name] in message


@given(st.sampled_from(sorted(REFUSED)).flatmap(lambda name: st.tuples(st.just(name), REFUSED[name])))
def test_the_constructor_refuses_the_same(wrong):
    with pytest.raises(ValidationError):
        ChannelSettings(**dict([wrong]))


def test_all_wrong_fields_are_named_at_once():
    with pytest.raises(InvalidSetting, match=r"snr_db = 101.*seed = -1.*foo = 3: no such setting"):
        ChannelSettings().updated(snr_db=101, seed=-1, foo=3)


def test_none_leaves_a_field_as_it_is():
    settings = ChannelSettings(snr_db=3, fading="rayleigh")
    assert settings.updated(snr_db=None, fading=None, seed=4) == ChannelSettings(snr_db=3, fading="rayleigh", seed=4)


def test_settings_are_values():
    settings = ChannelSettings()
    assert hash(settings) == hash(ChannelSettings())
    with pytest.raises(ValidationError):
        settings.snr_db = 3
