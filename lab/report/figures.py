"""Figures of a comparison: small multiples, one look for each scheme, 95 % intervals, and the references as lines."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lab.report.channel_uses import USES_CAPTION, draw_uses
from lab.report.gain_figure import GAIN_CAPTION, draw_gain
from lab.report.results import Results, channel_name
from lab.report.style import INK, MUTED, RC, look_of, save
from shared.units import decibels

_WIDTH, _HEIGHT = 3.3, 2.7  # inches of one panel
_MOST_COLUMNS = 3
_MOST_TICKS = 10


class _Kind(NamedTuple):
    """A kind of figure: one panel for each value of `panel`, in it `y` against `x`."""

    panel: str
    x: str
    y: str
    caption: str


_OVERLAP = (
    "Fidelity: share of the clean embedding's ten nearest items among the ten that the receiver ranks first. "
    "One that ranks by category too shares less with a ranking by distance alone"
)
_KINDS = {
    "snr": _Kind("k", "snr_db", "semantic_accuracy", "Semantic accuracy against SNR, one panel for each bandwidth"),
    "cbr": _Kind("snr_db", "cbr", "semantic_accuracy", "Semantic accuracy against bandwidth, one panel for each SNR"),
    "cosine": _Kind("k", "snr_db", "cosine", "Fidelity: mean cosine of what arrives"),
    "overlap": _Kind("k", "snr_db", "knn_overlap_at_10", _OVERLAP),
    "psnr": _Kind("k", "snr_db", "psnr_db", "PSNR of decoded pictures; a lost picture is grey"),
}
_LABELS = {
    "semantic_accuracy": "semantic accuracy",
    "cosine": "mean cosine",
    "knn_overlap_at_10": "10-NN overlap",
    "psnr_db": "PSNR in dB",
    "snr_db": "average Es/N0 in dB",
    "cbr": "cbr of the payload",
}


def draw_all(results: Results, folder: Path, prefix: str = "") -> list[tuple[str, str]]:
    """Draw every figure into a folder; gives file names, which begin with the prefix, and captions."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    with mpl.rc_context(RC):
        for number, channel in enumerate(results.channels, 1):
            for name, kind in _KINDS.items():
                figure = _panels(results, channel, kind)
                if figure is not None:
                    drawn.append((f"{prefix}{name}-{number}.png", f"{kind.caption}. {channel_name(*channel)}."))
                    save(figure, folder / drawn[-1][0])
            if (figure := draw_uses(results, channel)) is not None:
                drawn.append((f"{prefix}uses-{number}.png", f"{USES_CAPTION}. {channel_name(*channel)}."))
                save(figure, folder / drawn[-1][0])
            if (figure := draw_gain(results, channel)) is not None:
                drawn.append((f"{prefix}gain-{number}.png", f"{GAIN_CAPTION} {channel_name(*channel)}."))
                save(figure, folder / drawn[-1][0])
        drawn.append((f"{prefix}latency.png", "Time of the codec alone, for one picture of a batch, one thread."))
        save(_latency(results), folder / drawn[-1][0])
    return drawn


def _panels(results: Results, channel: tuple[str, str], kind: _Kind) -> Figure | None:
    """One panel for each value of `kind.panel` that has something to compare; None where there is none."""
    panel, x, y, _ = kind
    rows = results.of(fading=channel[0], csi=channel[1]).filter(pl.col(y).is_not_nan())
    values = [value for value in sorted(rows[panel].unique()) if _compares(rows.filter(pl.col(panel) == value), x)]
    if not values:
        return None
    rows = rows.filter(pl.col(panel).is_in(values))
    columns = min(_MOST_COLUMNS, len(values))
    lines = -(-len(values) // columns)
    figure = Figure(figsize=(_WIDTH * columns, _HEIGHT * lines + 0.8), layout="constrained")
    grid = figure.subplots(lines, columns, sharey=True, squeeze=False)
    for axes, value in zip(grid.flat, values, strict=False):
        _panel(axes, rows.filter(pl.col(panel) == value), x, y, results.reference)
        mark_measured(axes, rows, x)
        axes.set_title(_title(panel, value, results))
    for axes in grid.flat[len(values) :]:
        axes.set_visible(False)
    for axes in grid[:, 0]:
        axes.set_ylabel(_LABELS[y])
    figure.suptitle(channel_name(*channel), fontsize=11, color=INK)
    _legend(figure, results, rows, references=y == "semantic_accuracy")
    return figure


def _compares(rows: pl.DataFrame, x: str) -> bool:
    """Whether there are two schemes, and at least one curve."""
    return rows["scheme"].n_unique() > 1 and any(part[x].n_unique() > 1 for _, part in rows.group_by("scheme"))


def _title(panel: str, value: float, results: Results) -> str:
    if panel == "snr_db":
        return decibels(value)
    return f"k = {value:g}, cbr = 1/{results.reference['source_values'] / (value / 2):.0f}"


def _panel(axes: Axes, rows: pl.DataFrame, x: str, y: str, reference: dict[str, Any]) -> None:
    for (scheme,), part in rows.group_by("scheme", maintain_order=True):
        look, points = look_of(str(scheme)), part.sort(x)
        axes.plot(
            points[x], points[y], look.line, color=look.colour, marker=look.marker, linewidth=look.width, zorder=3
        )
        if y == "semantic_accuracy":
            low, high = points["ci_low"], points["ci_high"]
            axes.fill_between(points[x], low, high, color=look.colour, alpha=0.15, linewidth=0)
    if y == "semantic_accuracy":
        _references(axes, rows, x, reference)
    axes.set_xlabel(_LABELS[x])
    if y == "semantic_accuracy":
        axes.set_ylim(0, min(1.0, 1.12 * _top(rows, reference)))
    elif y != "psnr_db":
        axes.set_ylim(0, 1)


def mark_measured(axes: Axes, rows: pl.DataFrame, x: str) -> None:
    """Mark what was measured; bandwidths as fractions, on a logarithmic scale.

    HARQ has a mean bandwidth of its own for each setting: of many, powers of two are marked.
    """
    measured = sorted(rows[x].unique())
    if x == "snr_db":
        axes.set_xticks(measured, [f"{value:g}".replace("-", "−") for value in measured])
        return
    axes.set_xscale("log")
    marked = measured if len(measured) <= _MOST_TICKS else _powers_of_two(measured[0], measured[-1])
    axes.set_xticks(marked, [f"1/{1 / value:.0f}" for value in marked], fontsize=7)
    axes.set_xticks([], minor=True)


def _powers_of_two(low: float, high: float) -> list[float]:
    """Those between two positive numbers."""
    return [2.0**power for power in range(math.ceil(math.log2(low)), math.floor(math.log2(high)) + 1)]


def _top(rows: pl.DataFrame, reference: dict[str, Any]) -> float:
    best = rows["semantic_accuracy"].max()
    return max(float(best) if isinstance(best, float) else 1.0, reference["classifier_accuracy"] or 0.0)


def _references(axes: Axes, rows: pl.DataFrame, x: str, reference: dict[str, Any]) -> None:
    axes.axhline(reference["nearest_accuracy"], color=MUTED, linewidth=0.9, linestyle=(0, (1, 2)))
    if reference["classifier_accuracy"] is not None:
        axes.axhline(reference["classifier_accuracy"], color=MUTED, linewidth=0.9, linestyle=(0, (6, 2)))
    bound = rows.filter(pl.col("upper_bound").is_not_nan()).group_by(x).agg(pl.col("upper_bound").first()).sort(x)
    if len(bound) > 1:
        axes.plot(bound[x], bound["upper_bound"], color=INK, linewidth=1.2, linestyle=(0, (3, 1)), zorder=2)


def _legend(figure: Figure, results: Results, rows: pl.DataFrame, references: bool) -> None:
    shown = [scheme for scheme in results.schemes if scheme in rows["scheme"]]
    handles = [Line2D([], [], **look_of(scheme).options(), label=scheme) for scheme in shown]
    if references:
        if rows["upper_bound"].is_not_nan().any():
            handles.append(Line2D([], [], color=INK, linewidth=1.2, linestyle=(0, (3, 1)), label="upper bound"))
        handles += [
            Line2D([], [], color=MUTED, linewidth=0.9, linestyle=(0, (6, 2)), label="best classifier, no channel"),
            Line2D([], [], color=MUTED, linewidth=0.9, linestyle=(0, (1, 2)), label="nearest item, no channel"),
        ]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(6, len(handles)))


def _latency(results: Results) -> Figure:
    """Bars of encoding and decoding time: the least of all points, for each scheme at the length nearest to 64.

    What a machine does beside can only add to a time.
    """
    rows = [_typical(results.of(scheme=scheme)) for scheme in results.schemes if len(results.of(scheme=scheme))]
    figure = Figure(figsize=(7, 0.34 * len(rows) + 1.2), layout="constrained")
    axes = figure.subplots()
    names = [f"{row['scheme']}, k = {row['k']}" for row in rows]
    for offset, part, hatch in ((-0.19, "encode_ms", ""), (0.19, "decode_ms", "////")):
        heights: Sequence[float] = [max(row[part], 1e-4) for row in rows]
        places = [number + offset for number in range(len(rows))]
        colours = [look_of(row["scheme"]).colour for row in rows]
        axes.barh(places, heights, 0.36, color=colours, hatch=hatch, edgecolor="white", linewidth=0.4)
    axes.set_yticks(range(len(rows)), names)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlabel("milliseconds a picture: plain encoding, hatched decoding")
    axes.grid(axis="y", visible=False)
    return figure


def _typical(rows: pl.DataFrame) -> dict[str, Any]:
    k = min(rows["k"].unique(), key=lambda length: abs(length - 64))
    part = rows.filter(pl.col("k") == k)
    return {"scheme": part["scheme"][0], "k": k, **part.select("encode_ms", "decode_ms").min().row(0, named=True)}
