"""Text of strangers for terminals and logs: labels, ids, messages of services."""

import re
from collections.abc import Iterable
from typing import Final

_JOINERS: Final = "\u200c\u200d"  # within words and emoji; they move nothing
_SUSPECT: Final = re.compile(r"[^ -~]")
_LONGEST: Final = 300  # characters
_MOST_FAULTS: Final = 5


def printable(text: str, keep: str = "") -> str:
    """The text with every character that controls a terminal or the direction of writing as Python's escape.

    keep: characters that stay, such as a line feed of the program's own.
    """
    return _SUSPECT.sub(lambda found: _escaped(found[0], keep), text)


def first_line(error: Exception) -> str:
    """What a library says of its error, cut to one line of at most 300 characters; its kind where it says nothing.

    Some libraries print the whole file, or a schema of pages, and some a key alone.
    """
    if isinstance(error, KeyError) and len(error.args) == 1 and " " not in str(error.args[0]):
        return shortened(f"it has no {error.args[0]!r}")
    return shortened(next(iter(str(error).strip().splitlines()), "")) or type(error).__name__


def shown(value: object) -> str:
    """A value of a stranger in an error: its representation, at most 300 characters of it."""
    return shortened(repr(value))


def joined(faults: Iterable[str]) -> str:
    """The faults of a file or a request in one line: the first five, and how many more there are."""
    told = list(faults)
    more = len(told) - _MOST_FAULTS
    return "; ".join([*told[:_MOST_FAULTS], *([f"and {more} more"] if more > 0 else [])])


def shortened(line: str) -> str:
    """The line, or its beginning where it has over 300 characters."""
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 3]}..."


def _escaped(one: str, keep: str) -> str:
    return one if one.isprintable() or one in _JOINERS or one in keep else repr(one)[1:-1]
