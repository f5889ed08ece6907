"""Some points of a scenario, named by columns of the table, and the command that measures a scenario."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from lab.evaluate.scenario import Point
from shared.errors import InvalidSetting

_VALUES: Final[Mapping[str, Callable[[Point], Any]]] = {
    "scheme": lambda point: point.scheme.name,
    "k": lambda point: point.k,
    "fading": lambda point: point.channel.fading,
    "csi": lambda point: point.csi,
    "framing": lambda point: point.framing,
    "snr_db": lambda point: point.snr_db,
}
"""What each column that names points has of one."""
COLUMNS: Final = tuple(_VALUES)


def selected(points: Sequence[Point], only: Sequence[str]) -> list[Point]:
    """The points whose columns have the values of each `COLUMN=VALUE`; all of them for none.

    Raises InvalidSetting for another column, or a value that no point has.
    """
    left = list(points)
    for text in only:
        column, _, value = text.partition("=")
        if column not in _VALUES:
            raise InvalidSetting(f"--only {text}: give COLUMN=VALUE, with one of the columns {', '.join(COLUMNS)}")
        there = {str(_VALUES[column](point)): None for point in left}
        left = [point for point in left if _is(_VALUES[column](point), value)]
        if not left:
            raise InvalidSetting(f"--only {text}: no point has this {column}; there are {', '.join(there)}")
    return left


def _is(found: Any, value: str) -> bool:
    if isinstance(found, str):
        return found == value
    try:
        return bool(float(value) == found)
    except ValueError:
        return False


def command_of(scenario: str, **options: Any) -> str:
    """`semlink evaluate` with a scenario; options that are None are not named, a False one is a `--no-...`."""
    words = ["semlink", "evaluate", scenario]
    for name, value in options.items():
        flag = name.replace("_", "-")
        if value is False:
            words.append(f"--no-{flag}")
        elif value not in (None, True):
            words += [f"--{flag}", str(value)]
    return shlex.join(words)
