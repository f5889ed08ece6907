"""Traces: measurements over time, as CSV.

seconds,gain_db
0.0,-3.1
0.5,-7.8
"""

import csv
import math
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

from shared.errors import InvalidSetting, NotFound

_COLUMNS: Final = {"snr_db": ("snr_db", 1.0), "gain_db": ("path_loss_db", -1.0)}
"""Column of a trace: the setting that it controls, and the sign."""


class TraceRow(NamedTuple):
    """One row. seconds: from the first row. settings: what is in force then."""

    seconds: float
    settings: dict[str, float]


def read_trace(path: Path) -> list[TraceRow]:
    """Read a CSV file with a column `seconds` and one of `snr_db` and `gain_db`: two rows or more, in order of time.

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
