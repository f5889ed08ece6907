"""`semlink bench more`: what HARQ saves."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.table import Table

from cli.console import answer, out
from cli.options import Json
from cli.progress import progress
from lab.bench.harq import HarqBench, bench_harq
from lab.bench.harq_figure import draw_harq
from shared.units import channel_name, decibels

_NUMBERS = ("right", "1000 cbr", "total", "rounds", "ms p50 p95", "gain", "total")


def more(
    *,
    data: Annotated[str, typer.Option(help="drawn, cifar100:DIR, or a folder with query/ and kb/.")] = "drawn",
    queries: Annotated[int, typer.Option(min=20, help="Pictures of each row.")] = 500,
    snr_db: Annotated[list[float] | None, typer.Option(help="Give it several times. Else -4 0 4.")] = None,
    fading: Annotated[list[str] | None, typer.Option(help="Several times. Else none and rayleigh.")] = None,
    certainty: Annotated[
        list[float] | None, typer.Option(help="Posterior threshold of HARQ, several times. Else 0.9 0.99 0.999.")
    ] = None,
    start: Annotated[list[int] | None, typer.Option(help="k of the first round, several times. Else 8 16 32.")] = None,
    propagation_seconds: Annotated[float, typer.Option(min=0, help="Emulated, of each round.")] = 0.005,
    timed: Annotated[int, typer.Option(min=5, help="Pictures sent one at a time, for the latency.")] = 50,
    kb: Annotated[Path | None, typer.Option(help="Folder of the knowledge base, kept; else it is thrown away.")] = None,
    transmitter: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="A running link instead, which answers with these data.")
    ] = None,
    figure: Annotated[Path | None, typer.Option(metavar="FILE.png", help="Draw accuracy against bandwidth.")] = None,
    json: Json = False,
) -> None:
    """Measure what HARQ with incremental redundancy saves: each fixed length against rounds, over three processes.

    `cbr` is the mean bandwidth of the payload, `total` with the pilots and headers of all rounds. `gain`: what HARQ
    adds to the accuracy at the same mean bandwidth. `from k 8, 0.99`: length of the first round, posterior threshold.

    - `semlink bench more`
    - `semlink bench more --data cifar100:data --queries 2000 --figure out/more.png`
    - `semlink bench more --fading rayleigh --snr-db 10 --propagation-seconds 0.25`
    """
    given = {"snrs_db": snr_db, "fadings": fading, "certainties": certainty, "starts": start}
    lists: dict[str, Any] = {name: tuple(values) for name, values in given.items() if values}
    plan = HarqBench(
        data, queries, propagation_seconds=propagation_seconds, timed=timed, kb=kb, address=transmitter, **lists
    )
    with progress("sending") as report:
        result = bench_harq(plan, report)
    if figure is not None:
        draw_harq(result, figure)
    answer(json, result, lambda: out.print(*_tables(result["rows"])))


def _tables(rows: Iterable[dict[str, Any]]) -> Iterator[Table]:
    """A table for each channel, a row for each way to send."""
    for channel, ways in groupby(rows, lambda row: f"{channel_name(row['fading'])}, {decibels(row['snr_db'])}"):
        table = Table(title=channel, box=box.SIMPLE, padding=(0, 0, 0, 1))
        table.add_column("sent", no_wrap=True)
        for name in _NUMBERS:
            table.add_column(name, justify="right", no_wrap=True)
        for row in ways:
            table.add_row(*_cells(row))
        yield table


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
