"""Schedules: channel settings that change over time, read from TOML; `docs/how-to/schedules.md` shows the format.

    FILE.toml, CSV traces ---> entries: [[at]] [[ramp]] [[blackout]] [[trace]] ---> changes ---> Timeline

Traces are inlined when read, so a schedule can be sent to a channel on another host.
"""

import csv
import math
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.errors import InvalidSetting, NotFound, SemLinkError
from shared.phy.conditions.presets import preset_named
from shared.phy.conditions.settings import ChannelSettings
from shared.phy.conditions.timeline import Change, Timeline
from shared.printable import first_line, joined, shortened, shown

ClockName = Literal["burst", "wall"]
_CLOCK_SETTINGS: Final = ("burst_interval_seconds", "symbol_rate_hz")
"""Settings that define the burst clock; they cannot change while it runs."""
MAX_CHANGES: Final = 10_000
"""Limit of changes in one schedule; the channel validates each when it accepts the schedule, about 50 us each."""

_COLUMNS: Final = {"snr_db": ("snr_db", 1.0), "gain_db": ("path_loss_db", -1.0)}
"""Column of a trace: the setting that it controls, and the sign."""

_Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


@dataclass(frozen=True, slots=True)
class Schedule:
    """Initial settings and their changes over time.

    settings: initial fields that differ from the defaults. clock: `burst`: the time of a burst is its counter x
    interval, so the same bursts always get the same settings; `wall`: seconds since the schedule was started.
    repeat_seconds: period of repetition, 0 for none. changes: in order of time.
    Raises InvalidSetting for an unknown clock, too many changes, and a change of a setting that defines the clock.
    """

    name: str
    settings: Mapping[str, Any]
    clock: ClockName = "burst"
    repeat_seconds: float = 0.0
    changes: tuple[Change, ...] = ()

    def __post_init__(self) -> None:
        if self.clock not in get_args(ClockName):
            raise InvalidSetting(f"clock = {self.clock!r}: choose from {', '.join(get_args(ClockName))}")
        if len(self.changes) > MAX_CHANGES:
            raise InvalidSetting(f"{len(self.changes)} changes: give at most {MAX_CHANGES}, so thin out the traces")
        for change, name in ((change, name) for change in self.changes for name in _CLOCK_SETTINGS):
            if self.clock == "burst" and name in change.settings:
                raise InvalidSetting(
                    f"{name} changes at {change.seconds:g} s: the burst clock depends on it; set it once, at the "
                    "start, or use the wall clock"
                )

    @classmethod
    def from_file(cls, path: str | Path) -> "Schedule":
        """Read a TOML file; paths of traces are relative to its folder.

        Raises NotFound for a missing file, and InvalidSetting that names file, entry, field and remedy.
        """
        path = Path(path)
        try:
            return _File.model_validate(tomllib.loads(path.read_text(encoding="utf-8"))).schedule(path)
        except OSError as error:
            raise NotFound(f"schedule {path}: {error.strerror}") from error
        except ValidationError as error:
            raise InvalidSetting(f"{path}: {joined(map(_explain, error.errors()))}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
            raise InvalidSetting(f"{path}: no TOML: {first_line(error)}") from error
        except SemLinkError as error:
            raise type(error)(f"{path}: {error}") from error

    def base(self) -> ChannelSettings:
        """The initial settings. Raises InvalidSetting for an invalid one."""
        return ChannelSettings().updated(**self.settings)

    def timeline(self, base: ChannelSettings | None = None) -> Timeline:
        """The changes on top of `base`, or else of the schedule's initial settings. Raises as Timeline does."""
        return Timeline(base or self.base(), self.changes, self.repeat_seconds)


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _At(_Entry):
    """Settings that change at once."""

    model_config = ConfigDict(extra="allow")

    seconds: _Seconds

    def changes(self, folder: Path) -> Iterator[Change]:  # noqa: ARG002
        yield Change(self.seconds, self.model_extra or {})


class _Window(_Entry):
    from_seconds: _Seconds
    to_seconds: _Seconds

    @property
    def length_seconds(self) -> float:
        """Raises InvalidSetting unless it ends after it begins."""
        if self.to_seconds <= self.from_seconds:
            raise InvalidSetting(
                f"to_seconds = {self.to_seconds:g} with from_seconds = {self.from_seconds:g}: end after the beginning"
            )
        return self.to_seconds - self.from_seconds


class _Ramp(_Window):
    """Settings that ramp to new values."""

    model_config = ConfigDict(extra="allow")

    def changes(self, folder: Path) -> Iterator[Change]:  # noqa: ARG002
        yield Change(self.from_seconds, self.model_extra or {}, self.length_seconds)


class _Blackout(_Window):
    """An interval in which every burst is lost."""

    def changes(self, folder: Path) -> Iterator[Change]:  # noqa: ARG002
        yield Change(self.from_seconds, {"blackout": True})
        yield Change(self.from_seconds + self.length_seconds, {"blackout": False})


class _Trace(_Entry):
    """Settings that follow a table of times and values, see `read_trace`.

    shape: interpolation between two rows. times: number of repetitions; each ends with the last row.
    """

    file: str
    from_seconds: _Seconds = 0.0
    shape: Literal["linear", "step"] = "linear"
    times: int = Field(1, ge=1)

    def changes(self, folder: Path) -> Iterator[Change]:
        rows = read_trace(folder / self.file)
        if len(rows) * self.times > MAX_CHANGES:
            raise InvalidSetting(f"{len(rows)} rows of {self.file}, {self.times} times: at most {MAX_CHANGES} in all")
        for start in (self.from_seconds + turn * rows[-1].seconds for turn in range(self.times)):
            yield Change(start, rows[0].settings)
            for one, two in pairwise(rows):
                if self.shape == "step":
                    yield Change(start + two.seconds, two.settings)
                else:
                    yield Change(start + one.seconds, two.settings, two.seconds - one.seconds)


class _File(_Entry):
    """The whole file."""

    name: str = ""
    clock: ClockName = "burst"
    repeat_seconds: _Seconds = 0.0
    preset: str = ""
    settings: dict[str, Any] = {}
    at: tuple[_At, ...] = ()
    ramp: tuple[_Ramp, ...] = ()
    blackout: tuple[_Blackout, ...] = ()
    trace: tuple[_Trace, ...] = ()

    def schedule(self, path: Path) -> Schedule:
        """The schedule, all changes validated. Order at equal times: at, ramp, blackout, trace, then file order."""
        preset = dict(preset_named(self.preset).settings) if self.preset else {}
        named = sorted(self._named_changes(path.parent), key=lambda pair: pair[0].seconds)
        changes = tuple(change for change, _ in named)
        schedule = Schedule(self.name or path.stem, preset | self.settings, self.clock, self.repeat_seconds, changes)
        Timeline(schedule.base(), changes, self.repeat_seconds, [name for _, name in named])
        return schedule

    def _named_changes(self, folder: Path) -> Iterator[tuple[Change, str]]:
        """All changes, each with its name in errors."""
        _check_order(self.blackout)
        for kind in ("at", "ramp", "blackout", "trace"):
            for place, entry in enumerate(getattr(self, kind), 1):
                name = f"[[{kind}]] {place}"
                try:
                    yield from [(change, name) for change in entry.changes(folder)]
                except SemLinkError as error:
                    raise type(error)(f"{name}: {error}") from error


def _check_order(blackouts: tuple[_Blackout, ...]) -> None:
    for place, (one, two) in enumerate(pairwise(blackouts), 2):
        if two.from_seconds < one.to_seconds:
            raise InvalidSetting(
                f"[[blackout]] {place}: from_seconds = {two.from_seconds:g}, before the one above ends at "
                f"{one.to_seconds:g}: give them in order of time, and join those that overlap"
            )


def _explain(item: Any) -> str:
    match item["loc"]:
        case (str(kind), int(place), *field):
            where = f"[[{kind}]] {place + 1}: {'.'.join(map(str, field))}"
        case path:
            where = ".".join(map(str, path))
    where = shortened(where)
    match item["type"]:
        case "missing":
            return f"{where} is missing"
        case "extra_forbidden":
            return f"{where}: no such key; docs/how-to/schedules.md lists them"
    return f"{where} = {shown(item['input'])}: {item['msg']}"


class TraceRow(NamedTuple):
    """One row. seconds: from the first row. settings: what is in force then."""

    seconds: float
    settings: dict[str, float]


def read_trace(path: Path) -> list[TraceRow]:
    """Read measurements over time: CSV with columns `seconds` and `snr_db` or `gain_db`, two or more rows by time.

    Raises NotFound without a file, InvalidSetting that names file, line, value and remedy.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(_rows(file))
    except OSError as error:
        raise NotFound(f"trace {path}: {error.strerror}; its place is beside the schedule") from error
    except (InvalidSetting, UnicodeDecodeError, csv.Error) as error:
        raise InvalidSetting(f"trace {path.name}: {error}") from error
    if len(rows) < 2:
        raise InvalidSetting(f"trace {path.name}: {len(rows)} rows; give at least two under the heading")
    if not all(one.seconds < two.seconds for one, two in pairwise(rows)):
        raise InvalidSetting(f"trace {path.name}: seconds do not increase from row to row; sort them, drop duplicates")
    return [TraceRow(row.seconds - rows[0].seconds, row.settings) for row in rows]


def _rows(lines: Iterable[str]) -> Iterator[TraceRow]:
    table = csv.DictReader(lines, restval="", skipinitialspace=True)
    table.fieldnames = heading = [name.strip() for name in table.fieldnames or ()]
    known = [name for name in heading if name in _COLUMNS]
    if "seconds" not in heading or len(known) != 1:
        raise InvalidSetting(
            f"its columns are {', '.join(heading) or 'none'}: give seconds and one of {', '.join(_COLUMNS)} in the "
            "first line"
        )
    setting, sign = _COLUMNS[known[0]]
    for row in table:
        seconds, value = (_number(table.line_num, name, row[name]) for name in ("seconds", known[0]))
        yield TraceRow(seconds, {setting: sign * value + 0.0})  # + 0.0 turns -0 into 0


def _number(line: int, column: str, text: str) -> float:
    try:
        if math.isfinite(value := float(text)):
            return value
    except ValueError:
        pass
    raise InvalidSetting(f"line {line}: {column} = {text!r}: give a number")
