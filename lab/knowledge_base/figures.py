"""Figures of the knowledge base's lab: recall against speed, reliability, retrieval, open set, thinning."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from lab.knowledge_base.calibration import Calibration, Reliability
from lab.knowledge_base.open_set import OpenSet
from lab.knowledge_base.prototypes import Thinned
from lab.knowledge_base.retrieval import RULES, RetrievalCurve
from lab.knowledge_base.tuning import OperatingPoint
from lab.report.style import CYCLE, INK, MUTED, RC
from receiver.knowledge_base.index.settings import Tuning
from shared.units import decibels

_STYLE: Any = {**RC, "font.size": 10, "legend.fontsize": 8.5, "lines.linewidth": 1.8}


def draw_tuning(points: Sequence[OperatingPoint], tuning: Tuning, target: float, path: Path) -> None:
    """Recall against the time of one query: a line for each engine and depth, the choice marked."""
    with mpl.rc_context(_STYLE):
        figure, (axes,) = _figure(1, "Recall against speed", f"{tuning.items} items, {_passed(tuning)}")
        engines = list(dict.fromkeys(point.engine for point in points))
        for engine, colour in zip(engines, CYCLE, strict=False):
            _engine_lines(axes, [point for point in points if point.engine == engine], engine, colour)
        axes.plot(tuning.milliseconds, tuning.recall_at_1, "*", color=INK, markersize=15, label="chosen", zorder=5)
        axes.axhline(target, color=MUTED, linestyle=":", linewidth=1.2)
        axes.set(xscale="log", xlabel="ms for one query", ylabel="recall@1 against exact search")
        for formatter in (axes.xaxis.set_major_formatter, axes.xaxis.set_minor_formatter):
            formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.tick_params(axis="x", which="both", labelsize=8)
        axes.legend(loc="lower right")
        _save(figure, path)


def draw_calibration(calibration: Calibration, path: Path) -> None:
    """Reliability: how often an answer is right, against the confidence that it was given."""
    with mpl.rc_context(_STYLE):
        figure, all_axes = _figure(3, "Reliability", "right answers against confidence, on answers not fitted to")
        parts = (
            ("share of the winner", calibration.share),
            ("model that ships", calibration.shipped),
            ("fitted to this knowledge base", calibration.fitted),
        )
        for axes, (name, reliability), colour in zip(all_axes, parts, CYCLE, strict=False):
            _reliability(axes, name, reliability, colour)
        _save(figure, path)


def draw_report(curves: Sequence[RetrievalCurve], open_set: OpenSet, path: Path) -> None:
    """Top-1 against the vote over the SNR, one panel for each codec; then the open set."""
    codecs = list(dict.fromkeys(curve.codec for curve in curves))
    with mpl.rc_context(_STYLE):
        figure, all_axes = _figure(
            len(codecs) + 2,
            "What is found, and what is known not to be there",
            f"{curves[0].queries} queries; open set: {open_set.lacking} of {open_set.labels} labels taken away",
        )
        for axes, codec in zip(all_axes, codecs, strict=False):
            _retrieval(axes, codec, [curve for curve in curves if curve.codec == codec])
        _roc(all_axes[len(codecs)], open_set)
        _risk(all_axes[len(codecs) + 1], open_set)
        _save(figure, path)


def draw_thinning(steps: Sequence[Thinned], path: Path) -> None:
    """Semantic accuracy against the items that are left, a line for each SNR."""
    with mpl.rc_context(_STYLE):
        figure, (axes,) = _figure(1, "Thinning", "semantic accuracy against items that are left")
        for snr_db, colour in zip(steps[0].accuracy, CYCLE, strict=False):
            items = [step.items for step in steps]
            axes.plot(items, [step.accuracy[snr_db] for step in steps], "o-", color=colour, label=decibels(snr_db))
            axes.axhline(steps[0].accuracy_before[snr_db], color=colour, linestyle=":", linewidth=1.2)
        axes.set(xscale="log", xlabel="items", ylabel="semantic accuracy (dotted: all items)")
        axes.legend()
        _save(figure, path)


def _engine_lines(axes: Axes, points: Sequence[OperatingPoint], engine: str, colour: str) -> None:
    for depth in dict.fromkeys(point.parameters.get("depth") for point in points):
        line = [point for point in points if point.parameters.get("depth") == depth]
        label = engine if depth is None or depth == points[0].parameters["depth"] else None
        axes.plot(
            [point.milliseconds for point in line], [point.recall_at_1 for point in line], "o-",
            color=colour, markersize=4, label=label, alpha=1 if label else 0.45,
        )  # fmt: skip


def _reliability(axes: Axes, name: str, reliability: Reliability, colour: str) -> None:
    axes.plot([0, 1], [0, 1], color=MUTED, linestyle=":", linewidth=1.2)
    axes.plot(reliability.confidence, reliability.accuracy, "-", color=colour)
    axes.scatter(reliability.confidence, reliability.accuracy, s=600 * reliability.weight, color=colour, alpha=0.6)
    axes.set_title(f"{name}: ECE {reliability.ece:.3f}", loc="left", fontsize=10)
    axes.set(xlabel="confidence", ylabel="share of right answers", xlim=(0, 1), ylim=(0, 1), aspect="equal")


def _retrieval(axes: Axes, codec: str, curves: Sequence[RetrievalCurve]) -> None:
    for curve, style in zip(curves, ("-", "--"), strict=False):
        for rule, colour, width in zip(RULES, CYCLE, (1.8, 4.5, 1.5, 1.8), strict=False):  # the votes nearly coincide
            if rule not in curve.accuracy:
                continue
            label = rule if style == "-" else None
            axes.plot(curve.levels_db, curve.accuracy[rule], style, color=colour, label=label, linewidth=width)
    axes.set_title(f"{codec}: solid AWGN, dashed Rayleigh", loc="left", fontsize=10)
    axes.set(xlabel="SNR, dB", ylabel="semantic accuracy", ylim=(0, 1))
    axes.legend(loc="upper left")


def _roc(axes: Axes, open_set: OpenSet) -> None:
    for (name, (false_alarms, hits)), colour in zip(open_set.curves.items(), CYCLE, strict=False):
        axes.plot(false_alarms, hits, color=colour, label=f"{name}: AUROC {open_set.auroc[name]:.3f}")
    axes.plot([0, 1], [0, 1], color=MUTED, linestyle=":", linewidth=1.2)
    axes.set_title("known against lacking labels", loc="left", fontsize=10)
    axes.set(xlabel="lacking labels accepted", ylabel="known labels accepted", xlim=(0, 1), ylim=(0, 1))
    axes.legend(loc="lower right")


def _risk(axes: Axes, open_set: OpenSet) -> None:
    axes.plot(open_set.coverage, open_set.risk, color=CYCLE[0])
    axes.set_title("as the threshold falls", loc="left", fontsize=10)
    axes.set(xlabel="share of answers accepted", ylabel="wrong or lacking among them", xlim=(0, 1), ylim=(0, None))


def _figure(panels: int, title: str, further: str) -> tuple[Figure, list[Axes]]:
    columns = min(panels, 3)
    rows = -(-panels // columns)
    figure = Figure(figsize=(max(6.4, 4.4 * columns), 3.8 * rows + 0.8), layout="constrained")
    figure.suptitle(f"{title}\n\n", x=0.01, ha="left", fontsize=13, fontweight="bold")
    figure.text(0.01, 1 - 0.52 / figure.get_figheight(), further, color=MUTED, fontsize=9)
    grid = np.atleast_1d(figure.subplots(rows, columns)).ravel()
    for axes in grid[panels:]:
        axes.set_visible(False)
    return figure, list(grid[:panels])


def _passed(tuning: Tuning) -> str:
    return f"queries after {tuning.codec} at {decibels(tuning.snr_db)}"


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
