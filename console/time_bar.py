"""The ledger as one stacked bar: stages in turn, emulated ones hatched, with their milliseconds below."""

from collections.abc import Sequence
from html import escape
from typing import Final

from nicegui import ui

from client import Entry, Kind
from console.charts import COLOURS
from console.parts import tagged

_LEAST_SHARE: Final = 0.004
"""Of the bar that a stage gets however short it is, so that it is seen."""


class TimeBar:
    """Where the time of one delivery went, in the current place of the page."""

    def __init__(self) -> None:
        self._total = ui.label().classes("text-lg")
        self._bar = tagged(ui.html(sanitize=False).classes("w-full"), "ledger")

    def show(self, entries: Sequence[Entry], total_seconds: float) -> None:
        """Draw stages that took any time. total_seconds: of all of them."""
        self._total.set_text(f"Where the time went: {1e3 * total_seconds:.2f} ms")
        self._bar.set_content(drawn(entries))


def drawn(entries: Sequence[Entry]) -> str:
    """The bar and its legend as HTML, in milliseconds; names of stages are escaped."""
    shown = [entry for entry in entries if entry.seconds > 0]
    whole = sum(entry.seconds for entry in shown) or 1.0
    parts, lines = [], []
    for place, entry in enumerate(shown):
        colour, name = COLOURS[place % len(COLOURS)], escape(_name(entry))
        kind = " semlink-emulated" if entry.kind is Kind.EMULATED else ""
        share = max(_LEAST_SHARE, entry.seconds / whole)
        parts.append(
            f'<i class="semlink-stage{kind}" style="flex:{share:.4f} 0 0;--stage:{colour}" title="{name}"></i>'
        )
        lines.append(
            f'<li><i class="semlink-stage{kind}" style="--stage:{colour}"></i>{name}'
            f"<b>{1e3 * entry.seconds:.3f} ms</b></li>"
        )
    return f'<div class="semlink-bar" aria-hidden="true">{"".join(parts)}</div><ul>{"".join(lines)}</ul>'


def _name(entry: Entry) -> str:
    return f"{entry.stage} (emulated)" if entry.kind is Kind.EMULATED else str(entry.stage)
