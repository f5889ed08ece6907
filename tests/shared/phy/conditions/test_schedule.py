"""Scenarios: what is in force when, what is refused, and that the shipped ones run."""

import math

import pytest

from shared.errors import InvalidSetting, NotFound
from shared.phy import ChannelSettings, Link, pilot_sequence
from shared.phy.conditions.faults import draw_faults
from shared.phy.conditions.presets import PRESETS
from shared.phy.conditions.schedule import Schedule
from shared.phy.conditions.timeline import Change
from tests.tools.paths import ROOT

SHIPPED = sorted((ROOT / "lab/experiments/channel").glob("*.toml"))
BASE = ChannelSettings(snr_db=20)


def read(folder, text, **traces):
    """The scenario of a TOML text, with CSV traces beside it."""
    for name, rows in traces.items():
        (folder / f"{name}.csv").write_text(rows, encoding="utf-8")
    path = folder / "test.toml"
    path.write_text(text, encoding="utf-8")
    return Schedule.from_file(path)


# Timeline


# Files

WHOLE = """
name = "all of it"
clock = "wall"
repeat_seconds = 60
preset = "pedestrian"
[settings]
snr_db = 20
[[at]]
seconds = 3
snr_db = 5
loss_probability = 0.1
[[ramp]]
from_seconds = 5
to_seconds = 9
snr_db = 15
[[blackout]]
from_seconds = 12
to_seconds = 14
[[trace]]
file = "drive.csv"
from_seconds = 20
times = 2
"""
DRIVE = "seconds,snr_db\n100,20\n102,10\n\n104,18\n"


def test_a_whole_file(tmp_path):
    scenario = read(tmp_path, WHOLE, drive=DRIVE)
    assert (scenario.name, scenario.clock, scenario.repeat_seconds) == ("all of it", "wall", 60)
    assert scenario.settings == {**PRESETS["pedestrian"].settings, "snr_db": 20}
    line = scenario.timeline()
    assert line.at(4) == line.at(64) == {"snr_db": 5, "loss_probability": 0.1}
    assert line.at(7)["snr_db"] == 10
    assert [line.at(t).get("blackout") for t in (11.9, 12, 13.9, 14)] == [None, True, True, False]
    assert [line.at(t)["snr_db"] for t in (19.9, 20, 21, 22, 23, 24, 25, 28)] == [15, 20, 15, 10, 14, 20, 15, 18]


def test_a_scenario_needs_no_file_once_it_is_read(tmp_path):
    scenario = read(tmp_path, WHOLE, drive=DRIVE)
    for file in tmp_path.iterdir():
        file.unlink()
    assert scenario.timeline().at(21)["snr_db"] == 15
    assert scenario == Schedule("all of it", scenario.settings, "wall", 60, scenario.changes)


def test_a_trace_of_steps_and_gains(tmp_path):
    text = '[[trace]]\nfile = "gain.csv"\nshape = "step"'
    line = read(tmp_path, text, gain="gain_db, note, seconds\n-3, a, 0\n-7.5, b, 1\n").timeline()
    assert [line.at(t) for t in (0, 0.9, 1, 9)] == [{"path_loss_db": v} for v in (3, 3, 7.5, 7.5)]


def test_the_name_is_the_files_where_none_is_given(tmp_path):
    assert read(tmp_path, "") == Schedule("test", {})


def test_touching_blackouts_are_one(tmp_path):
    text = "[[blackout]]\nfrom_seconds=0\nto_seconds=2\n[[blackout]]\nfrom_seconds=2\nto_seconds=4"
    assert [read(tmp_path, text).timeline().at(t)["blackout"] for t in (0, 2, 3.9, 4)] == [True, True, True, False]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[at]]\nsnr_db = 5", "[[at]] 1: seconds is missing"),
        ("[[at]]\nseconds = -5", "[[at]] 1: seconds = -5: Input should be greater than or equal to 0"),
        ("[[at]]\nseconds = 0\n[[at]]\nseconds = 1\nsnr_db = 500", "[[at]] 2: snr_db = 500: refused; average Es/N0"),
        ("[[at]]\nseconds = 0\nsnr = 5", "[[at]] 1: snr = 5: no such setting of the channel; choose from fading"),
        ("[[ramp]]\nfrom_seconds = 2\nto_seconds = 1", "[[ramp]] 1: to_seconds = 1 with from_seconds = 2: end after"),
        ("[[ramp]]\nfrom_seconds = 2\nto_seconds = 3\nsnr_db = inf", "[[ramp]] 1: snr_db moves from 10 to inf"),
        ("[[blackout]]\nfrom_seconds = 2\nto_seconds = 3\nsnr_db = 1", "[[blackout]] 1: snr_db: no such key"),
        (
            "[[blackout]]\nfrom_seconds = 2\nto_seconds = 4\n[[blackout]]\nfrom_seconds = 3\nto_seconds = 5",
            "[[blackout]] 2: from_seconds = 3, before the one above ends at 4",
        ),
        ("[settings]\nsnr_db = 500", "snr_db = 500: refused"),
        ("[[tunnel]]\nseconds = 1", "tunnel: no such key"),
        ("clock = 'sun'", "clock = 'sun': Input should be 'burst' or 'wall'"),
        ("repeat_seconds = 5\n[[at]]\nseconds = 7", "a change at 7 s with repeat_seconds = 5"),
        ("[[at]]\nseconds = 7\nsymbol_rate_hz = 5", "symbol_rate_hz changes at 7 s: the burst clock depends on it"),
        ("[[trace]]\nfile = 'bad.csv'\ntimes = 0", "[[trace]] 1: times = 0"),
        ("[[trace]]\nfile = 'bad.csv'", "[[trace]] 1: trace bad.csv: its columns are a, b: give seconds and one of"),
        ("[[trace]]\nfile = 'word.csv'", "[[trace]] 1: trace word.csv: line 3: snr_db = 'loud': give a number"),
        ("[[trace]]\nfile = 'gap.csv'", "[[trace]] 1: trace gap.csv: line 2: snr_db = '': give a number"),
        ("[[trace]]\nfile = 'one.csv'", "[[trace]] 1: trace one.csv: 1 rows; give at least two"),
        ("[[trace]]\nfile = 'back.csv'", "[[trace]] 1: trace back.csv: seconds do not increase from row to row"),
        ("[[trace]]\nfile = 'far.csv'", "[[trace]] 1: snr_db = 900.0: refused"),
        ("[[trace]]\nfile = 'far.csv'\ntimes = 5001", "[[trace]] 1: 2 rows of far.csv, 5001 times: at most 10000"),
        ("snr_db = ", "no TOML"),
    ],
)
def test_what_is_refused_names_file_entry_field_and_remedy(tmp_path, text, message):
    traces = {
        "bad": "a,b\n1,2\n",
        "word": "seconds,snr_db\n0,1\n1,loud\n",
        "gap": "seconds,snr_db\n0\n",
        "one": "seconds,snr_db\n0,1\n",
        "back": "seconds,snr_db\n1,1\n0,1\n",
        "far": "seconds,snr_db\n1,1\n2,900\n",
    }
    with pytest.raises(InvalidSetting) as refusal:
        read(tmp_path, text, **traces)
    assert str(refusal.value).startswith(f"{tmp_path / 'test.toml'}: ")
    assert message in str(refusal.value)


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(NotFound, match=r"no\.toml: No such file"):
        Schedule.from_file(tmp_path / "no.toml")
    with pytest.raises(NotFound, match=r"test.toml: \[\[trace\]\] 1: trace .*no.csv: No such file"):
        read(tmp_path, "[[trace]]\nfile = 'no.csv'")
    with pytest.raises(NotFound, match="preset 'moon': choose from"):
        read(tmp_path, "preset = 'moon'")


def test_the_wall_clock_lets_the_symbol_rate_change(tmp_path):
    text = "clock = 'wall'\n[[at]]\nseconds = 7\nsymbol_rate_hz = 5"
    assert read(tmp_path, text).timeline().at(8) == {"symbol_rate_hz": 5}


def test_too_many_changes_are_refused():
    changes = tuple(Change(second, {}) for second in range(10_001))
    assert len(Schedule("test", {}, changes=changes[1:]).changes) == 10_000
    with pytest.raises(InvalidSetting, match="10001 changes: give at most 10000"):
        Schedule("test", {}, changes=changes)


def test_an_unknown_clock_is_refused():
    with pytest.raises(InvalidSetting, match="clock = 'sun': choose from burst, wall"):
        Schedule("test", {}, "sun")


def test_the_example_of_the_documentation_is_right(tmp_path):
    page = (ROOT / "docs/how-to/schedules.md").read_text(encoding="utf-8")
    text = page.split("```toml\n")[1].split("```")[0]
    line = read(tmp_path, text, drive="seconds,snr_db\n0,20\n0.5,12\n2,18\n").timeline()
    assert line.at(7) == {"snr_db": 10, "loss_probability": 0.1}
    assert line.at(20.25)["snr_db"] == 16


def test_three_scenarios_are_shipped():
    assert [path.stem for path in SHIPPED] == ["flaky", "train", "tunnel"]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_scenario_runs(path):
    scenario = Schedule.from_file(path)
    base, line, x = scenario.base(), scenario.timeline(), pilot_sequence(40)
    lost = 0
    for counter in range(450):
        now = base.updated(**line.at(counter * base.interval_seconds(x.size)))
        lost += draw_faults(now, 0, counter).lost
        assert math.isfinite(Link.from_settings(now).transmit(x, 0, counter).signal_power)
    assert (lost > 0) == (path.stem != "train")
    assert len(path.read_text(encoding="utf-8").splitlines()) < 60
