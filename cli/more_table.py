"""The tables of `semlink bench more`."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from rich import box
from rich.table import Table

_NUMBERS = ("right", "1000 cbr", "total", "rounds", "ms p50 p95", "gain", "total")


def more_tables(rows: Iterable[dict[str, Any]]) -> Iterator[Table]:
    """A table for each channel, a row for each way to send."""
    for channel, ways in groupby(rows, _channel):
        table = Table(title=channel, box=box.SIMPLE, padding=(0, 0, 0, 1))
        table.add_column("sent", no_wrap=True)
        for name in _NUMBERS:
            table.add_column(name, justify="right", no_wrap=True)
        for row in ways:
            table.add_row(*_cells(row))
        yield table


def _channel(row: dict[str, Any]) -> str:
    return f"{'AWGN' if row['fading'] == 'none' else row['fading']}, {row['snr_db']:g} dB"


def _cells(row: dict[str, Any]) -> list[str]:
    asked = row["certainty"] is not None
    return [
        f"from k {row['k']}, {row['certainty']:g}" if asked else f"k {row['k']}",
        f"{row['semantic_accuracy']:.3f}",
        f"{1e3 * row['cbr']:.2f}",
        f"{1e3 * row['cbr_total']:.2f}",
        f"{row['rounds']:.2f}",
        f"{row['p50_ms']:.0f} {row['p95_ms']:.0f}",
        *("" if row[name] is None else f"{row[name]:+.3f}" for name in ("gain", "gain_total")),
    ]
