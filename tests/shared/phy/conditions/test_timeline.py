"""Changes of settings over time: steps, ramps, repetition."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import InvalidSetting
from shared.phy import ChannelSettings
from shared.phy.conditions.timeline import Change, Timeline

BASE = ChannelSettings(snr_db=20)


def timeline(*changes, base=BASE, repeat_seconds=0.0):
    return Timeline(base, changes, repeat_seconds)


def test_nothing_before_the_first_change():
    line = timeline(Change(3, {"snr_db": 5}))
    assert line.at(0) == {}
    assert line.at(math.nextafter(3, 0)) == {}
    assert line.at(3) == line.at(1e9) == {"snr_db": 5}


def test_a_ramp_begins_at_what_was_in_force():
    line = timeline(Change(2, {"snr_db": 10}, 4), Change(10, {"snr_db": 0}, 10))
    assert [line.at(t)["snr_db"] for t in (2, 3, 4, 6, 10, 15, 20, 30)] == [20, 17.5, 15, 10, 10, 5, 0, 0]


def test_a_change_in_a_ramp_begins_where_the_ramp_stands():
    line = timeline(Change(0, {"snr_db": 10}, 10), Change(5, {"snr_db": 25}, 10))
    assert [line.at(t)["snr_db"] for t in (0, 4, 5, 10, 15, 16)] == [20, 16, 15, 20, 25, 25]


def test_a_ramp_of_another_setting_goes_on():
    line = timeline(Change(0, {"snr_db": 10}, 10), Change(5, {"fading": "rayleigh"}))
    assert line.at(6) == {"snr_db": 14, "fading": "rayleigh"}


def test_counts_choices_and_switches_change_at_once():
    line = timeline(Change(1, {"coherence_symbols": 8, "fading": "rayleigh", "blackout": True, "snr_db": 0}, 4))
    assert line.at(1) == {"coherence_symbols": 8, "fading": "rayleigh", "blackout": True, "snr_db": 20}


def test_at_the_same_second_the_last_one_holds():
    assert timeline(Change(1, {"snr_db": 5}), Change(1, {"snr_db": 6})).at(1) == {"snr_db": 6}


def test_repetition_begins_with_the_start():
    line = timeline(Change(3, {"snr_db": 5}), Change(8, {"snr_db": 10}), repeat_seconds=10)
    assert [line.at(t) for t in (0, 4, 9, 10, 13, 1e6 + 4)] == [
        {},
        {"snr_db": 5},
        {"snr_db": 10},
        {},
        {"snr_db": 5},
        {"snr_db": 5},
    ]


TIMES = st.floats(0, 100)


CHANGES = st.lists(
    st.builds(
        Change,
        seconds=TIMES,
        settings=st.fixed_dictionaries(
            {},
            optional={
                "snr_db": st.floats(-50, 100),
                "loss_probability": st.floats(0, 1),
                "phase_deg": st.floats(-180, 180),
                "seed": st.integers(0, (1 << 64) - 1),
            },
        ),
        ramp_seconds=TIMES,
    ),
    max_size=8,
).map(lambda changes: sorted(changes, key=lambda change: change.seconds))


@settings(deadline=None)
@given(CHANGES, st.lists(TIMES, min_size=1, max_size=8))
def test_all_that_a_timeline_gives_is_allowed_and_pure(changes, times):
    line = Timeline(BASE, changes)
    states = [line.at(t) for t in times]
    for state in states:
        assert BASE.updated(**state).model_dump() == BASE.model_dump() | state
    assert [line.at(t) for t in reversed(times)] == states[::-1]


@settings(deadline=None)
@given(CHANGES, st.floats(0, 250))
def test_a_timeline_is_what_a_walk_through_its_changes_gives(changes, seconds):
    moves = {}
    for change in (change for change in changes if change.seconds <= seconds):
        for name, target in change.settings.items():
            start = walk(moves[name], change.seconds) if name in moves else getattr(BASE, name)
            moves[name] = (change.seconds, 0 if name == "seed" else change.ramp_seconds, start, target)
    state = {name: walk(move, seconds) for name, move in moves.items()}
    assert Timeline(BASE, changes).at(seconds) == pytest.approx(state, rel=1e-9, abs=1e-9)


def walk(move, seconds):
    begin, ramp, start, target = move
    return target if seconds - begin >= ramp else start + (target - start) * ((seconds - begin) / ramp)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ([Change(1, {"snr_db": 200})], "change 1 at 1 s: snr_db = 200: refused; average Es/N0 in dB: -50 to 100"),
        ([Change(0, {}), Change(2, {"snr": 2})], "change 2 at 2 s: snr = 2: no such setting"),
        ([Change(0, {"snr_db": math.inf}), Change(1, {"snr_db": 5}, 2)], "change 2 at 1 s: snr_db moves from inf to 5"),
        ([Change(1, {"snr_db": math.inf}, 2)], "snr_db moves from 20 to inf in 2 s: a ramp needs two finite ends"),
        ([Change(1, {"pa_backoff_db": 3}, 2)], "pa_backoff_db moves from inf to 3"),
        ([Change(1, {"fading": "tdl-c"})], "change 1 at 1 s: fading = 'tdl-c' with waveform = 'single'"),
        (
            [Change(0, {"doppler_hz": 5}, 4), Change(1, {"coherence_symbols": 4})],
            "change 2 at 1 s: doppler_hz = 5 with coherence_symbols = 4",
        ),
        (
            [Change(0, {"doppler_hz": 8}), Change(1, {"doppler_hz": 0, "coherence_symbols": 4}, 4)],
            "change 2 at 1 s: doppler_hz = 8 with coherence_symbols = 4",
        ),
        ([Change(2, {}), Change(1, {})], "a change at 1 s after one at 2 s: sort them by time"),
    ],
)
def test_what_a_timeline_refuses(changes, message):
    with pytest.raises(InvalidSetting) as refusal:
        Timeline(BASE, changes)
    assert message in str(refusal.value)


def test_a_change_after_the_end_of_a_round_is_refused():
    with pytest.raises(InvalidSetting, match=r"a change at 10 s with repeat_seconds = 10: it would never happen"):
        timeline(Change(10, {}), repeat_seconds=10)
    with pytest.raises(InvalidSetting, match="repeat_seconds = -1"):
        timeline(repeat_seconds=-1)


@pytest.mark.parametrize("time", [-1, math.nan, math.inf])
def test_a_change_needs_a_time(time):
    with pytest.raises(InvalidSetting, match=f"seconds = {time} of a change"):
        Change(time, {})
    with pytest.raises(InvalidSetting, match=f"ramp_seconds = {time} of a change"):
        Change(0, {}, time)
