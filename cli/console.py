"""Where output goes: answers to standard output, messages and progress to standard error; and SIGTERM."""

import json as json_module
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from rich.console import Console
from rich.table import Table
from rich.text import Text

out = Console(emoji=False)  # `first:x:drawn` is a source and no emoji
err = Console(stderr=True, emoji=False)

_SHOWN = 20  # messages of one kind that are printed one by one


def answer(json: bool, document: Any, show: Callable[[], object]) -> None:
    """Print `document` as one strict JSON document, or let `show` print for people."""
    if json:
        json_module.dump(document, sys.stdout, indent=2, allow_nan=False, ensure_ascii=False)
        sys.stdout.write("\n")
        sys.stdout.flush()
    else:
        show()


def complain(text: str, style: str = "yellow") -> None:
    """Print a message on standard error as it is: no markup, no line breaks."""
    err.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def complain_of(lines: Sequence[str]) -> None:
    """Print the first of many messages, and how many more there are."""
    for line in lines[:_SHOWN]:
        complain(line)
    if len(lines) > _SHOWN:
        complain(f"and {len(lines) - _SHOWN} more; --json lists all")


def plain_table(*columns: str, numbers: Sequence[str] = (), **options: Any) -> Table:
    """A table without lines. columns: headings; numbers: further ones, aligned to the right."""
    table = Table(*columns, **{"box": None, "header_style": "bold", "pad_edge": False, **options})
    for name in numbers:
        table.add_column(name, justify="right")
    return table


def show_fields(fields: Mapping[str, Any]) -> None:
    """Print names and values, one to a line."""
    width = max(map(len, fields), default=0) + 2
    for name, value in fields.items():
        out.print(f"{name.replace('_', ' '):{width}}{value}", markup=False, highlight=False, soft_wrap=True)


def lines(settings: Mapping[str, Any]) -> str:
    """Settings, one a line."""
    return "\n".join(
        f"{name} {f'{value:g}' if isinstance(value, float) else value}" for name, value in settings.items()
    )


def untrusted(text: str) -> Text:
    """Text of a stranger for the terminal: no markup, no control characters."""
    return Text("".join(one if one.isprintable() else repr(one)[1:-1] for one in text))


def stop_on_sigterm() -> None:
    """Let SIGTERM unwind this process like Ctrl-C, so that what it started is stopped."""

    def stop(*_: object) -> NoReturn:
        sys.exit(128 + signal.SIGTERM)

    signal.signal(signal.SIGTERM, stop)
