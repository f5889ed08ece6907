"""The figure of `semlink bench more`: accuracy against mean bandwidth, one column for each channel.

`python -m lab.bench.harq_figure docs/harq.csv docs/ask-for-more.png` draws rows of `semlink evaluate more` so: those
with framing implicit.
"""

import math
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lab.bench.harq import HarqRow, frontier
from lab.report.style import INK, MUTED, RC, look_of
from shared.units import channel_name, decibels

_FIXED, _ASKED = look_of("kbsc").colour, look_of("nested").colour
_AXES: Final = {
    "cbr": "1000 x mean cbr, payload",
    "cbr_total": "1000 x mean cbr, with all that was sent",
}


def draw_harq(document: dict[str, Any], file: Path) -> None:
    """Draw what `bench_harq` gave into a PNG file."""
    rows = [HarqRow(**row) for row in document["rows"]]
    channels = list(dict.fromkeys((row.fading, row.snr_db) for row in rows))
    with mpl.rc_context(RC):
        figure = Figure(figsize=(2.9 * len(channels) + 0.6, 6.4), layout="constrained")
        figure.suptitle(
            f"HARQ: {document['queries']} pictures of {_named(document['data'])}",
            x=0.01, ha="left", color=INK, fontsize=12, fontweight="bold",
        )  # fmt: skip
        panels = figure.subplots(len(_AXES), len(channels), squeeze=False, sharey="col")
        for column, (fading, snr_db) in enumerate(channels):
            chosen = [row for row in rows if (row.fading, row.snr_db) == (fading, snr_db)]
            for axes, name in zip(panels[:, column], _AXES, strict=True):
                _panel(axes, chosen, name)
            panels[0, column].set_title(f"{channel_name(fading)}, {decibels(snr_db)}", loc="left")
        panels[0, 0].legend(loc="lower right")
        for axes in panels[:, 0]:
            axes.set_ylabel("semantic accuracy")
        file.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(file)


def _panel(axes: Axes, rows: Sequence[HarqRow], name: str) -> None:
    fixed = [row for row in rows if row.certainty is None]
    asked = [row for row in rows if row.certainty is not None]
    error = [
        [row.semantic_accuracy - row.ci_low for row in fixed],
        [row.ci_high - row.semantic_accuracy for row in fixed],
    ]
    x, y = [getattr(row, name) for row in fixed], [row.semantic_accuracy for row in fixed]
    axes.errorbar(x, y, error, color=_FIXED, marker="^", capsize=2, linewidth=1.2, label="one burst, k = 8 to 256")
    points = [(getattr(row, name), row.semantic_accuracy) for row in asked]
    axes.plot(*zip(*points, strict=True), "o", color=_ASKED, alpha=0.45, markersize=3.5, label="HARQ, each setting")
    corners = frontier(*zip(*points, strict=True))
    axes.plot(corners[:, 0], corners[:, 1], "-", color=_ASKED, linewidth=2.0, label="HARQ, the best of them")
    axes.set_xscale("log", base=2)
    axes.set_xlabel(_AXES[name], color=MUTED, fontsize=8)
    axes.xaxis.set_major_formatter(lambda value, _: f"{1000 * value:.3g}")
    axes.set_ylim(0, None)


def _named(data: str) -> str:
    """The data without the folder where it lies."""
    return "CIFAR-100" if "cifar" in data else Path(data).name


def rows_of_table(file: Path, snrs_db: Sequence[float] = (-4.0, 0.0, 4.0)) -> list[HarqRow]:
    """Rows of `results.csv` with framing implicit, sent at these SNRs; times are unknown, NaN."""
    table = pl.read_csv(file, infer_schema_length=None).filter(pl.col("snr_db").is_in(snrs_db), framing="implicit")
    return [_row(row) for row in table.sort("fading", "snr_db", "cbr").iter_rows(named=True)]


def _row(row: dict[str, Any]) -> HarqRow:
    asked = re.search(r"HARQ ([\d.]+) from k = (\d+)", row["scheme"])
    ways = {
        "k": int(asked[2]) if asked else row["k"],
        "k_max": row["k"],
        "certainty": float(asked[1]) if asked else None,
        "rounds": math.nan,
        "p50_ms": math.nan,
        "p95_ms": math.nan,
    }
    same = ("fading", "snr_db", "n", "semantic_accuracy", "ci_low", "ci_high", "cbr", "cbr_total")
    return HarqRow(**ways, **{name: row[name] for name in same})


if __name__ == "__main__":
    found = rows_of_table(Path(sys.argv[1]))
    document = {"queries": found[0].n, "data": "cifar100", "rows": [asdict(row) for row in found]}
    draw_harq(document, Path(sys.argv[2]))
