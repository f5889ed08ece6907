"""Where output goes: answers to standard output, messages and progress to standard error; and SIGTERM."""

import json as json_module
import signal
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from shared.errors import InvalidInput, NotFound, SemLinkError
from shared.strict_json import strict_json

out = Console(emoji=False)  # `first:x:drawn` is a source and no emoji
err = Console(stderr=True, emoji=False)

_SHOWN = 20  # messages of one kind that are printed one by one


def answer(json: bool, document: Any, show: Callable[[], object]) -> None:
    """Print `document` as one strict JSON document, see `strict_json`, or let `show` print for people."""
    if json:
        json_module.dump(strict_json(document), sys.stdout, indent=2, allow_nan=False, ensure_ascii=False)
        sys.stdout.write("\n")
        sys.stdout.flush()
    else:
        show()


def status_of(error: SemLinkError) -> int:
    """How a command ends: 2 for wrong input, 1 for any other error."""
    return 2 if isinstance(error, InvalidInput | NotFound) else 1


def error_json(error: SemLinkError) -> dict[str, Any]:
    """An error in place of an answer, for JSON."""
    return {"error": {"kind": type(error).__name__, "message": str(error)}}


def complain(text: str, style: str = "yellow") -> None:
    """Print a message on standard error as it is: no markup, no line breaks."""
    err.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def complain_of(lines: Sequence[str]) -> None:
    """Print the first of many messages, and how many more there are."""
    for line in lines[:_SHOWN]:
        complain(line)
    if len(lines) > _SHOWN:
        complain(f"and {len(lines) - _SHOWN} more; --json lists all")


def plain_table(
    *columns: str, numbers: Sequence[str] = (), rows: Iterable[Iterable[RenderableType]] = (), **options: Any
) -> Table:
    """A table without lines. columns: headings; numbers: further ones, aligned to the right."""
    table = Table(*columns, **{"box": None, "header_style": "bold", "pad_edge": False, **options})
    for name in numbers:
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(*row)
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
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
