"""The demo's tables for people."""

from rich.table import Table
from rich.text import Text

from client.cli.deliveries import decibels
from client.demo.result import DemoResult, Row
from shared.ledger import Kind


def load(result: DemoResult) -> str:
    """Under which load the times were measured."""
    return "one picture at a time" if result.concurrency == 1 else f"{result.concurrency} pictures at once"


def accuracy_table(result: DemoResult) -> Table:
    """Accuracy, bandwidth and latency of each scenario."""
    title = f"{len(result.pictures)} pictures a row, {result.transmitter.clip}; latency in ms, {load(result)}"
    table = Table(title=title, title_style="bold", title_justify="left")
    table.add_column("channel")
    table.add_column("codec")
    for name in ("asked", "achieved", "accuracy", "agreement", "cbr", "cbr total", "p50", "p95", "p99"):
        table.add_column(name, justify="right")
    for previous, row in zip((None, *result.rows), result.rows, strict=False):
        if previous is not None and previous.scenario.name != row.scenario.name:
            table.add_section()
        table.add_row(*_cells(row))
    return table


def ledger_table(result: DemoResult) -> Table:
    """The median of each stage, in ms."""
    table = Table(title=f"where the time went: median ms, {load(result)}", title_style="bold", title_justify="left")
    shown = _one_of_each(result.rows)
    table.add_column("stage")
    for row in shown:
        table.add_column(f"{row.scenario.name}\n{decibels(row.scenario.snr_db)}", justify="right")
    kinds = {stage: kind for row in shown for stage, kind in row.stages.items()}
    for stage, kind in kinds.items():
        emulated = kind is Kind.EMULATED
        name = Text(f"{stage} (emulated)" if emulated else stage, "magenta" if emulated else "")
        table.add_row(name, *(f"{row.ledger_ms.get(stage, 0.0):.3f}" for row in shown))
    return table


def _cells(row: Row) -> list[str]:
    first = row.deliveries[0]
    return [
        row.scenario.name,
        f"{first.codec} k={first.k}",
        decibels(row.scenario.snr_db),
        decibels(row.snr_db_achieved),
        f"{row.semantic_accuracy:.1%}",
        f"{row.semantic_agreement:.1%}",
        f"{first.cbr:.5f}",
        f"{first.cbr_total:.5f}",
        *(f"{value:.1f}" for value in row.latency_ms.values()),
    ]


def _one_of_each(rows: tuple[Row, ...]) -> list[Row]:
    """The last row of each kind of channel."""
    return list({row.scenario.name: row for row in rows}.values())
