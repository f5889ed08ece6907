"""Where output goes: answers to standard output, messages and progress to standard error; and SIGTERM."""

import codecs
import json as json_module
import os
import signal
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from shared.errors import InvalidInput, NotFound, SemLinkError
from shared.printable import printable
from shared.strict_json import strict_json

_ASCII: Final = {
    "→": "->", "←": "<-", "−": "-", "–": "-", "—": "-", "·": "|", "•": "*", "…": "...", "█": "#", "▇": "#", "≤": "<=",
    "≥": ">=", "×": "x", "±": "+-", "°": "deg", "µ": "u", "μ": "u", "²": "2", "√": "sqrt ",
}  # fmt: skip
_WIDE: Final = 1000  # columns of a file or a pipe, where nothing is gained by folding lines


def _in_ascii(error: UnicodeError) -> tuple[str, int]:
    """For `codecs.register_error`: what a stream cannot encode, in ASCII; an escape where there is nothing like it."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    failed = error.object[error.start : error.end]
    return "".join(_ASCII.get(one) or _plain(one) for one in failed), error.end


def _plain(one: str) -> str:
    """A letter without its accents, a box as + - |, or Python's escape."""
    bare = unicodedata.normalize("NFKD", one).encode("ascii", "ignore").decode()
    if bare:
        return bare
    if "\u2500" <= one <= "\u257f":  # box drawing
        return "-" if one in "─━╌╍" else "|" if one in "│┃╎╏" else "+"
    if "\u2800" <= one <= "\u28ff":  # Braille dots: the spinner
        return "*"
    return one.encode("ascii", "backslashreplace").decode()


codecs.register_error("semlink", _in_ascii)


class _Clean(Console):
    """Takes no markup, and prints what controls a terminal as an escape, wherever the text came from."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The segments, those of text cleaned."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=printable(segment.text, keep="\n"))


def _console(stream: str) -> Console:
    """The one maker of consoles: for a terminal of any encoding, and lines that are not folded in files and pipes."""
    if hasattr(file := getattr(sys, stream), "reconfigure"):
        file.reconfigure(errors="semlink")
    columns = None if file.isatty() or "COLUMNS" in os.environ else _WIDE
    # `first:x:drawn` is a source and no emoji
    return _Clean(markup=False, emoji=False, stderr=stream == "stderr", width=columns)


out, err = _console("stdout"), _console("stderr")

_SHOWN = 20  # messages of one kind that are printed one by one


def answer(json: bool, document: Any, show: Callable[[], object]) -> None:
    """Print `document` as one strict JSON document, see `strict_json`, or let `show` print for people."""
    if json:
        utf = (sys.stdout.encoding or "").lower().startswith("utf")
        json_module.dump(strict_json(document), sys.stdout, indent=2, allow_nan=False, ensure_ascii=not utf)
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
    err.print(text, style=style, highlight=False, soft_wrap=True)


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
    for column in table.columns:
        column.overflow = "fold"  # in a narrow terminal nothing is cut off
    return table


def show_fields(fields: Mapping[str, Any]) -> None:
    """Print names and values, one to a line."""
    width = max(map(len, fields), default=0) + 2
    for name, value in fields.items():
        out.print(f"{name.replace('_', ' '):{width}}{value}", highlight=False, soft_wrap=True)


def lines(settings: Mapping[str, Any]) -> str:
    """Settings, one a line."""
    return "\n".join(
        f"{name} {f'{value:g}' if isinstance(value, float) else value}" for name, value in settings.items()
    )


def untrusted(text: str) -> Text:
    """Text of a stranger for a table or a line: of one line, see `printable`."""
    return Text(printable(text))


_ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_signals: list[int] = []
"""Signals that came."""


def stop_on_signals() -> None:
    """Let SIGTERM and SIGHUP unwind this process like Ctrl-C, so that what it started is stopped.

    Long waits call `stop_if_told` again and again: Python drops an exception that a signal raises within a callback,
    such as that of a weak reference.

    A signal that was ignored when the process started stays ignored: SIGHUP under nohup, SIGINT in the background of a
    script, as POSIX wants it.
    """
    for number in _ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)


@contextmanager
def signals_call() -> Iterator[list[Callable[[], None]]]:
    """Let SIGINT, SIGTERM and SIGHUP call what is in the list, and do as before while it is empty.

    One that was ignored stays ignored.
    """
    called: list[Callable[[], None]] = []
    wanted = [number for number in _ENDING if signal.getsignal(number) is not signal.SIG_IGN]

    def handle(number: int, _: object) -> None:
        if not called:
            restore()
            signal.raise_signal(number)
        for function in called:
            function()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    before = {number: signal.signal(number, handle) for number in wanted}
    try:
        yield called
    finally:
        restore()


def stop_if_told() -> None:
    """Raise what a signal raised, where one came."""
    if _signals:
        raise KeyboardInterrupt if _signals[0] == signal.SIGINT else SystemExit(128 + _signals[0])


def _stop(received: int, _: object) -> None:
    _signals.append(received)
    stop_if_told()
