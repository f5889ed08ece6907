"""The demo's tables for people, at most 80 columns wide."""

import math

from rich import box
from rich.table import Table
from rich.text import Text

from cli.demo.result import DemoResult, Row, stages_of
from shared.ledger import Kind
from shared.units import decibels


def load(result: DemoResult) -> str:
    """The load under which the times were measured."""
    return "one picture at a time" if result.concurrency == 1 else f"{result.concurrency} pictures at once"


def accuracy_table(result: DemoResult) -> Table:
    """Accuracy, bandwidth and latency of each setup."""
    clean, in_rounds = result.rows[0].deliveries[0], bool(result.rows[1].deliveries[0].rounds)
    table = _table(
        f"{len(result.pictures)} pictures a row, CLIP {result.transmitter.clip}, {result.sent}; "
        f"clean: {clean.codec} k = {clean.k} without noise.\nLatency: {load(result)}."
    )
    table.add_column("channel", no_wrap=True)
    fourth = "mean\nrounds" if in_rounds else "agree-\nment"  # no room for both
    numbers = ("SNR\nasked", "dB\ngot", "accu-\nracy", fourth, "cbr\n", "cbr\ntotal", "ms\np50", "\np95", "\np99")
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    for previous, row in zip((None, *result.rows), result.rows, strict=False):
        if previous is not None and previous.setup.name != row.setup.name:
            table.add_section()
        table.add_row(*_cells(row, in_rounds))
    return table


def ledger_table(result: DemoResult) -> Table:
    """The median of each stage, in ms."""
    shown = list({row.setup.name: row for row in result.rows}.values())  # the last row of each kind of channel
    table = _table(f"Where the time went: median ms of each stage, {load(result)}.")
    table.add_column("stage")
    for row in shown:
        table.add_column(f"{row.setup.name}\n{decibels(row.setup.snr_db, '.1f')}", justify="right")
    for stage, kind in stages_of(shown).items():
        emulated = kind is Kind.EMULATED
        name = Text(f"{stage} (emulated)" if emulated else stage, "magenta" if emulated else "")
        table.add_row(name, *(f"{row.ledger_ms.get(stage, 0.0):.3f}" for row in shown))
    return table


def _table(title: str) -> Table:
    return Table(title=title, title_style="bold", title_justify="left", box=box.SIMPLE, padding=(0, 0, 0, 1))


def _cells(row: Row, in_rounds: bool) -> list[str]:
    return [
        row.setup.name,
        _db(row.setup.snr_db),
        _db(row.snr_db_achieved),
        f"{row.semantic_accuracy:.1%}",
        f"{row.means['rounds']:.1f}" if in_rounds else f"{row.semantic_agreement:.1%}",
        f"{row.means['cbr']:.5f}",
        f"{row.means['cbr_total']:.5f}",
        *(f"{value:.1f}" for value in row.latency_ms.values()),
    ]


def _db(snr_db: float) -> str:
    return f"{snr_db:.1f}" if math.isfinite(snr_db) else "∞"
