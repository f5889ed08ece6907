"""Settings: every accepted one runs, every refused one names its field, its value and its range."""

import math
from typing import get_args

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.errors import InvalidSetting
from shared.phy import ChannelSettings, FadingName, Link, pilot_sequence
from shared.phy.conditions.settings import SELECTIVE
from tests.tools.channel import allowed
from tests.tools.settings import ACCEPTED, CHOICES, COUNTS, FIELDS, NUMBERS, NUMBERS_OR_INF, OTHERS, POWERS_OF_2, WORD


def _outside(low, high):
    return st.floats(max_value=low, exclude_max=True) | st.floats(high, 1e300, exclude_min=True)


NO_NUMBER = st.sampled_from([math.nan, -math.inf, "loud"])
NO_INTEGER = st.sampled_from([0.5, math.nan, "x"])
REFUSED = (
    {name: _outside(*ends) | NO_NUMBER | st.just(math.inf) for name, ends in NUMBERS.items()}
    | {name: _outside(*ends) | NO_NUMBER for name, ends in NUMBERS_OR_INF.items()}
    | {
        name: st.integers(max_value=low - 1) | st.integers(min_value=high + 1) | NO_INTEGER
        for name, (low, high) in COUNTS.items()
    }
    | {
        name: st.text("adelmnrst-", max_size=9).filter(lambda word, names=names: word not in names) | st.integers()
        for name, names in CHOICES.items()
    }
    | {
        "fft_size": st.integers().filter(lambda size: size not in POWERS_OF_2) | NO_INTEGER,
        "blackout": st.sampled_from(["dark", 2, 0.5]),
        "seed": st.integers(max_value=-1) | st.integers(min_value=WORD + 1) | NO_INTEGER,
    }
)
WRONG = st.sampled_from(sorted(REFUSED)).flatmap(lambda name: st.tuples(st.just(name), REFUSED[name]))


def range_in_words(name):
    """What an error must say about the range of a field."""
    if name in NUMBERS | NUMBERS_OR_INF:
        low, high = (NUMBERS | NUMBERS_OR_INF)[name]
        return f"{low:g} to {high:g}" + (", or inf" if name in NUMBERS_OR_INF else "")
    if name in COUNTS:
        return "{} to {}".format(*COUNTS[name])
    return OTHERS.get(name) or CHOICES[name][-1]


def test_every_setting_is_tested():
    assert set(ACCEPTED) == set(REFUSED) == set(FIELDS)
    assert set(NUMBERS_OR_INF) == {"snr_db", "pa_backoff_db", "sir_db"}


@settings(deadline=None)
@given(st.fixed_dictionaries({}, optional=ACCEPTED), st.integers(0, WORD), st.integers(0, WORD))
@example({"snr_db": -50.0, "fading": "rayleigh", "seed": WORD}, WORD, WORD)
@example({"snr_db": 100.0}, 0, 0)
@example({"fading": "rician", "doppler_hz": 1e6, "symbol_rate_hz": 1.0, "burst_interval_seconds": 3600.0}, WORD, WORD)
@example({"fading": "tdl-e", "delay_spread_seconds": 1e-3, "symbol_rate_hz": 1e12, "fft_size": 16}, 0, 1)
@example({"path_loss_db": 200.0, "shadowing_db": 20.0, "adc_bits": 1, "pa_backoff_db": -10.0, "sir_db": -50.0}, 0, 1)
@example({"impulses": "middleton", "middleton_a": 1e-4, "middleton_gamma": 1e-6, "snr_db": -50.0}, 3, 7)
def test_every_accepted_setting_runs(fields, stream, counter):
    accepted = allowed(fields)
    assert ChannelSettings().updated(**accepted.model_dump()) == accepted
    sent = Link.from_settings(accepted).transmit(pilot_sequence(24), stream, counter)
    assert sent.y.shape == (24,)
    assert np.isfinite(sent.y).all()
    assert np.isfinite(sent.gain).all()
    assert math.isfinite(sent.signal_power + sent.noise_power + sent.n0 + sent.seconds + sent.papr_db)
    assert not math.isnan(sent.snr_db_achieved)


@given(WRONG)
def test_every_refused_setting_names_its_field_value_and_range(wrong):
    name, value = wrong
    with pytest.raises(InvalidSetting) as refusal:
        ChannelSettings().updated(**{name: value})
    message = str(refusal.value)
    assert message.startswith(f"{name} = {value!r}: ")
    assert range_in_words(name) in message


@given(WRONG)
def test_the_constructor_refuses_the_same(wrong):
    with pytest.raises(ValidationError):
        ChannelSettings(**dict([wrong]))


@pytest.mark.parametrize("name", sorted(NUMBERS | NUMBERS_OR_INF | COUNTS))
def test_both_ends_of_a_range_belong_to_it(name):
    for value in (NUMBERS | NUMBERS_OR_INF | COUNTS)[name]:
        prefix = {"fft_size": 4096} if name == "cyclic_prefix_symbols" else {}
        assert getattr(ChannelSettings(**{name: value}, **prefix), name) == value


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"fading": "tdl-c"}, ["fading = 'tdl-c'", "waveform = 'single'", "it needs waveform ofdm"]),
        ({"doppler_hz": 3, "coherence_symbols": 4}, ["doppler_hz = 3", "coherence_symbols = 4", "one of them to 0"]),
        ({"fading": "kbsc", "coherence_symbols": 2}, ["fading = 'kbsc'", "coherence_symbols = 2", "set both to 0"]),
        ({"fading": "kbsc", "doppler_hz": 2}, ["fading = 'kbsc'", "doppler_hz = 2", "set both to 0"]),
        (
            {"fading": "tdl-a", "waveform": "ofdm", "coherence_symbols": 1},
            ["fading = 'tdl-a'", "coherence_symbols = 1", "coherence_symbols to 0"],
        ),
        (
            {"fft_size": 16, "cyclic_prefix_symbols": 17},
            ["cyclic_prefix_symbols = 17", "fft_size = 16", "at most as long"],
        ),
    ],
)
def test_settings_that_do_not_fit_together_are_all_named(fields, named):
    with pytest.raises(InvalidSetting) as refusal:
        ChannelSettings().updated(**fields)
    assert all(words in str(refusal.value) for words in named)


def test_all_wrong_fields_are_named_at_once():
    with pytest.raises(InvalidSetting, match=r"snr_db = 101.*seed = -1.*foo = 3: no such setting"):
        ChannelSettings().updated(snr_db=101, seed=-1, foo=3)


def test_none_leaves_a_field_as_it_is():
    before = ChannelSettings(snr_db=3, fading="rayleigh")
    assert before.updated(snr_db=None, fading=None, seed=4) == ChannelSettings(snr_db=3, fading="rayleigh", seed=4)


def test_settings_are_values():
    one = ChannelSettings()
    assert hash(one) == hash(ChannelSettings())
    with pytest.raises(ValidationError):
        one.snr_db = 3


@pytest.mark.parametrize("fading", get_args(FadingName))
def test_every_fading_runs_and_has_its_place_in_the_help(fading):
    name = "tdl-e" if fading in SELECTIVE else fading
    assert name in ChannelSettings.model_fields["fading"].description
    stages = Link.from_settings(allowed({"fading": fading, "snr_db": math.inf})).stages
    assert len(stages) == (fading != "none")
