"""`semlink channel watch`."""

import json as json_module
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Annotated, Final

import typer
from rich.live import Live
from rich.table import Table

from cli.console import out, plain_table
from cli.options import ChannelAt
from client.channel_control import ChannelControl
from client.connection import CHANNEL
from shared.frame.channel_records import ChannelStatistics
from shared.strict_json import strict_json
from shared.units import ratio_to_db

_ROWS: Final = 20
_COLUMNS: Final = (
    "bursts/s", "asked", "achieved", "gain", "lost", "failed", "resets", "held", "queued", "fading", "schedule",
)  # fmt: skip


def watch(
    *,
    interval: Annotated[float, typer.Option(min=0.1, max=60, help="Seconds from one line to the next.")] = 1.0,
    count: Annotated[int | None, typer.Option(min=1, help="Stop after so many lines; else with Ctrl-C.")] = None,
    channel: ChannelAt = CHANNEL,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Show live statistics of the channel.

    Bursts per second; SNR asked and achieved and the mean gain, in dB; bursts lost on the air and failed otherwise;
    resets of the connection to the receiver; bursts that the channel holds now, and those of them that queue for the
    air.

    - `semlink channel watch`
    - `semlink channel watch --interval 0.2 --count 50 --json`
    """
    with ChannelControl(channel) as control:
        seen = islice(control.watch(interval), count)
        if json:
            for statistics in seen:
                typer.echo(json_module.dumps(strict_json(statistics), allow_nan=False))
        else:
            _show_live(seen)


def _show_live(seen: Iterable[ChannelStatistics]) -> None:
    with Live(console=out, auto_refresh=False) as live:
        for table in _tables(seen):
            live.update(table, refresh=True)


def _tables(seen: Iterable[ChannelStatistics]) -> Iterator[Table]:
    """The table after each of the statistics, with the last rows."""
    rows: deque[list[str]] = deque(maxlen=_ROWS)
    for statistics in seen:
        rows.append(_row(statistics))
        table = plain_table(padding=(0, 1, 0, 0), caption="asked, achieved, gain: dB")
        for name in _COLUMNS:
            table.add_column(name, justify="right", min_width=len(name))
        for row in rows:
            table.add_row(*row)
        yield table


def _row(statistics: ChannelStatistics) -> list[str]:
    achieved = statistics.snr_db_achieved
    return [
        f"{statistics.bursts / statistics.seconds:.1f}",
        f"{statistics.settings.snr_db:.1f}",
        "" if achieved is None else f"{achieved:.1f}",
        "" if achieved is None else f"{ratio_to_db(statistics.signal_power):.1f}",
        str(statistics.lost),
        str(statistics.failed),
        str(statistics.resets),
        str(statistics.in_flight),
        str(statistics.queued),
        statistics.settings.fading,
        f"{statistics.schedule} {statistics.schedule_seconds:.2f} s" if statistics.schedule else "",
    ]
