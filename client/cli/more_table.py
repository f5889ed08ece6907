"""The table of `semlink bench more`."""

from collections.abc import Iterable
from typing import Any

from rich import box
from rich.table import Table

_NUMBERS = ("right\n", "1000 cbr\n", "total\n", "rounds\n", "ms p50\np95", "gain\n", "gain\ntotal")


def more_table(rows: Iterable[dict[str, Any]]) -> Table:
    """One row for each way to send, a section for each channel."""
    table = Table(box=box.SIMPLE, padding=(0, 0, 0, 1))
    for name in ("channel", "sent"):
        table.add_column(name, no_wrap=True)
    for name in _NUMBERS:
        table.add_column(name, justify="right", no_wrap=True)
    before = None
    for row in rows:
        channel = f"{'AWGN' if row['fading'] == 'none' else row['fading']} {row['snr_db']:g} dB"
        if before not in (None, channel):
            table.add_section()
        table.add_row("" if channel == before else channel, *_cells(row))
        before = channel
    return table


def _cells(row: dict[str, Any]) -> list[str]:
    asked = row["certainty"] is not None
    return [
        f"k {row['k']} to {row['k_max']}, {row['certainty']:g}" if asked else f"k {row['k']}",
        f"{row['semantic_accuracy']:.3f}",
        f"{1e3 * row['cbr']:.2f}",
        f"{1e3 * row['cbr_total']:.2f}",
        f"{row['rounds']:.2f}",
        f"{row['p50_ms']:.0f} {row['p95_ms']:.0f}",
        *("" if row[name] is None else f"{row[name]:+.3f}" for name in ("gain", "gain_total")),
    ]
