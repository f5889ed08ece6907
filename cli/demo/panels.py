"""The panels of the demo's figure."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from cli.demo.result import DemoResult, Row, shown_positions, stages_of
from cli.demo.style import AWGN, CLEAN, PAPER, RIGHT, STAGES, WRONG, at, colour_of
from lab.report.style import GRID, INK, MUTED
from shared.datasets import Picture
from shared.intervals import wilson
from shared.ledger import Kind
from shared.units import channel_name, decibels

_HATCHES = {"airtime": "xxxxxx"}
MARKED_SYMBOLS = 64
_THIN = 0.035  # stages below this share of every bar are drawn together


def draw_pairs(grid: Sequence[Sequence[Axes]], result: DemoResult, rows: Sequence[Row]) -> None:
    """Pictures as sent, and what was retrieved for them in each of `rows`, marked right or wrong.

    grid: [1 + len(rows)][columns] axes.
    """
    shown = shown_positions(len(result.pictures))
    _name(grid[0][0], "sent")
    for axes, position in zip(grid[0], shown, strict=True):
        _show(axes, result.pictures[position], GRID)
    for line, row in zip(grid[1:], rows, strict=True):
        _name(line[0], f"retrieved\n{at(row.setup.snr_db)}")
        for axes, position in zip(line, shown, strict=True):
            delivery, right = row.deliveries[position], row.right[position]
            thumbnail = Picture(delivery.item_id, delivery.label, result.thumbnails[delivery.item_id])
            _show(axes, thumbnail, RIGHT if right else WRONG)
            _mark(axes, right)


def draw_constellation(axes: Axes, row: Row, part: str, *, title: str, limit: float, marked: int) -> None:
    """Symbols of all pictures, pale, and some of picture `marked`, strong. part: sent, received or equalized."""
    clouds = [getattr(delivery.trace, part) for delivery in row.deliveries if delivery.trace is not None]
    everything = np.concatenate(clouds)[:8000]
    colour = MUTED if part == "sent" else colour_of(row.setup.fading)
    axes.scatter(everything.real, everything.imag, s=2, color=colour, alpha=0.13, linewidths=0)
    strong = clouds[marked][:MARKED_SYMBOLS]
    axes.scatter(strong.real, strong.imag, s=17, color=INK, linewidths=0.6, edgecolors=PAPER, zorder=3)
    axes.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal", xticks=[], yticks=[])
    for draw in (axes.axhline, axes.axvline):
        draw(0, color=GRID, linewidth=1, zorder=0)
    axes.set_xlabel(title, fontsize=9, color=INK, labelpad=6)


def draw_accuracy(axes: Axes, result: DemoResult) -> None:
    """Semantic accuracy against SNR with 95 % intervals, and the clean reference as a line."""
    clean = result.rows[0].semantic_accuracy
    axes.axhline(clean, color=CLEAN, linewidth=1.4, linestyle=(0, (5, 3)), zorder=1)
    for fading in ("none", "rayleigh"):
        rows = [row for row in result.rows[1:] if row.setup.fading == fading and np.isfinite(row.setup.snr_db)]
        rows.sort(key=lambda row: row.setup.snr_db)
        if rows:
            _draw_curve(axes, rows, colour_of(fading), channel_name(fading))
    axes.set(ylim=(0, 1.08), yticks=[0, 0.25, 0.5, 0.75, 1], xlabel="average Es/N0 in dB")
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_xticks(sorted({row.setup.snr_db for row in result.rows[1:] if np.isfinite(row.setup.snr_db)}))
    axes.grid(axis="y", color=GRID)
    axes.tick_params(length=0)
    words = f"clean reference {clean:.1%}"
    axes.text(0.012, clean + 0.02, words, transform=axes.get_yaxis_transform(), fontsize=9, color=CLEAN)
    axes.spines[["top", "right", "left"]].set_visible(False)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="best", frameon=False, fontsize=10, handlelength=1.6)


def draw_ledger(axes: Axes, rows: Sequence[Row]) -> None:
    """Median time of each stage, stacked; emulated stages are hatched."""
    stages = _stages(rows)
    left = np.zeros(len(rows))
    names = [f"{row.setup.name.split(',')[0]}\n{decibels(row.setup.snr_db)}" for row in rows]
    for (name, parts, kind), colour in zip(stages, STAGES, strict=False):
        widths = np.array([sum(row.ledger_ms.get(part, 0.0) for part in parts) for row in rows])
        emulated = kind is Kind.EMULATED
        axes.barh(
            names, widths, left=left, height=0.58, label=name,
            color=PAPER if emulated else colour, edgecolor=AWGN if emulated else PAPER,
            hatch=_HATCHES.get(name, "//////") if emulated else None, linewidth=0.6,
        )  # fmt: skip
        left += widths
    for position, total in enumerate(left):
        axes.text(total + left.max() * 0.012, position, f"{total:.1f} ms", va="center", fontsize=9.5, fontweight="bold")
    axes.set_xlim(0, left.max() * 1.18)
    axes.invert_yaxis()
    axes.tick_params(length=0, labelsize=9)
    axes.grid(axis="x", color=GRID)
    axes.spines[:].set_visible(False)
    axes.legend(
        loc="upper left", bbox_to_anchor=(-0.33, -0.2), ncols=4, frameon=False, fontsize=8.8, handlelength=1.1,
        handletextpad=0.5, columnspacing=1.4, borderpad=0,
    )  # fmt: skip


def _draw_curve(axes: Axes, rows: Sequence[Row], colour: str, name: str) -> None:
    snrs = [row.setup.snr_db for row in rows]
    accuracy = np.array([row.semantic_accuracy for row in rows])
    low, high = wilson(accuracy, len(rows[0].deliveries))
    axes.fill_between(snrs, low, high, color=colour, alpha=0.12, linewidth=0)
    axes.plot(snrs, accuracy, "o-", color=colour, linewidth=2.4, markersize=6.5, markeredgecolor=PAPER, label=name)


def _stages(rows: Sequence[Row]) -> list[tuple[str, list[str], Kind]]:
    """Bars to stack: the stages wide enough to see, the other measured ones as one, then the emulated ones."""
    kinds = stages_of(rows)
    measured = [stage for stage, kind in kinds.items() if kind is Kind.MEASURED]
    thin = [stage for stage in measured if all(_share(row, stage) < _THIN for row in rows)]
    wide = [(stage.replace("_", " "), [stage], Kind.MEASURED) for stage in measured if stage not in thin]
    together = [(f"{len(thin)} shorter stages", thin, Kind.MEASURED)] if thin else []
    emulated = [
        (stage, [stage], kind)
        for stage, kind in kinds.items()
        if kind is Kind.EMULATED and any(row.ledger_ms.get(stage) for row in rows)
    ]
    return [*wide, *together, *emulated]


def _share(row: Row, stage: str) -> float:
    return row.ledger_ms.get(stage, 0.0) / (sum(row.ledger_ms.values()) or 1.0)


def _show(axes: Axes, picture: Picture, frame: str) -> None:
    axes.set(xticks=[], yticks=[])
    axes.imshow(np.asarray(picture.image()), interpolation="lanczos")
    axes.spines[:].set(color=frame, linewidth=2.4)
    axes.set_xlabel(picture.label, fontsize=7.5, color=MUTED if frame == GRID else frame, labelpad=3)


def _mark(axes: Axes, right: bool) -> None:
    axes.annotate(
        "✓" if right else "✗", (1, 1), (-1, -1), "axes fraction", "offset points", ha="center", va="center",
        fontsize=10, color=PAPER, fontweight="bold", annotation_clip=False,
        bbox={"boxstyle": "circle,pad=0.22", "facecolor": RIGHT if right else WRONG, "edgecolor": PAPER},
    )  # fmt: skip


def _name(axes: Axes, text: str) -> None:
    axes.set_ylabel(text, rotation=0, ha="right", va="center", fontsize=10, color=INK, labelpad=10, fontweight="bold")
