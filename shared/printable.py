"""Text of strangers for terminals and logs: labels, ids, messages of services."""

import re
from typing import Final

_JOINERS: Final = "\u200c\u200d"  # within words and emoji; they move nothing
_SUSPECT: Final = re.compile(r"[^ -~]")


def printable(text: str, keep: str = "") -> str:
    """The text with every character that controls a terminal or the direction of writing as Python's escape.

    keep: characters that stay, such as a line feed of the program's own.
    """
    return _SUSPECT.sub(lambda found: _escaped(found[0], keep), text)


def _escaped(one: str, keep: str) -> str:
    return one if one.isprintable() or one in _JOINERS or one in keep else repr(one)[1:-1]
