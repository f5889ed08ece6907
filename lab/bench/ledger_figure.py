"""The figure of `semlink bench --curve`: latency against throughput, and the ledger, over the pictures in flight.

The knee is where throughput over latency, the power of a queue (Kleinrock, 1979), is largest: with more in flight
pictures mainly wait.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from lab.report.style import BLUE, CYCLE, INK, MUTED, ORANGE, RC, RED
from shared.ledger import Stage, place_of

_JOINED: Final = {
    Stage.ACCESS: "there and back",
    Stage.WIRE: "there and back",
    Stage.OTHER: "there and back",
    Stage.QUEUE: "queues",
    Stage.RECEIVE_QUEUE: "queues",
    Stage.CHANNEL: "channel, equalize",
    Stage.EQUALIZE: "channel, equalize",
}
"""Stages that are drawn as one."""
_COLOURS: Final = (*CYCLE, "#0891b2", "#854d0e", "#64748b", "#be185d", "#65a30d")


def knee_of(curve: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The point with the largest throughput over median latency. curve: as `bench_link` gives it, one point or more."""
    return max(curve, key=lambda point: point["per_second"] / point["p50"])


def draw_ledger(curve: Sequence[Mapping[str, Any]], file: Path) -> None:
    """Draw a curve of `bench_link` into a PNG file."""
    with mpl.rc_context(RC):
        figure = Figure(figsize=(10, 4.2), layout="constrained")
        left, right = figure.subplots(1, 2)
        _latency(left, curve, knee_of(curve))
        _ledger(right, curve)
        file.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(file)


def _latency(axes: Axes, curve: Sequence[Mapping[str, Any]], knee: Mapping[str, Any]) -> None:
    rates = [point["per_second"] for point in curve]
    for name, label, colour in (("p95", "95th percentile", ORANGE), ("p50", "median", BLUE)):
        axes.plot(rates, [point[name] for point in curve], color=colour, marker="o", label=label)
    for point in curve:
        place = (point["per_second"], point["p50"])
        axes.annotate(str(point["concurrency"]), place, (5, -12), textcoords="offset points", color=MUTED, fontsize=8)
    axes.plot(
        knee["per_second"], knee["p50"], "o", mfc="none", mec=RED, ms=15, label=f"knee, {knee['concurrency']} in flight"
    )
    axes.set_yscale("log")
    axes.yaxis.set_minor_locator(LogLocator(subs=(2, 5)))
    for ticks in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
        ticks("{x:g}")
    axes.set_xlim(left=0)
    axes.set(xlabel="pictures a second", ylabel="latency, ms", title="Latency against throughput")
    axes.legend(loc="upper left")


def _ledger(axes: Axes, curve: Sequence[Mapping[str, Any]]) -> None:
    """Share of each stage, because the sum grows with the concurrency."""
    places, bottoms = range(len(curve)), [0.0] * len(curve)
    shares = [_shares(point["stages_ms"]) for point in curve]
    names = dict.fromkeys(name for share in shares for name in share)
    for name, colour in zip(names, _COLOURS, strict=False):
        heights = [100 * share.get(name, 0.0) for share in shares]
        axes.bar(places, heights, bottom=bottoms, color=colour, label=name, width=0.8)
        bottoms = [bottom + height for bottom, height in zip(bottoms, heights, strict=True)]
    for place, point in zip(places, curve, strict=True):
        total = sum(point["stages_ms"].values())
        axes.annotate(f"{total:.0f} ms", (place, 101), ha="center", color=INK, fontsize=8)
    axes.set_xticks(places, [str(point["concurrency"]) for point in curve])
    axes.set(xlabel="pictures in flight", ylabel="share of the ledger, %", ylim=(0, 107), title="The ledger")
    axes.grid(visible=False)
    axes.legend(*(each[::-1] for each in axes.get_legend_handles_labels()), loc="center left", bbox_to_anchor=(1, 0.5))


def _shares(stages: Mapping[str, float]) -> dict[str, float]:
    """Share of each stage in their sum, some joined, in the order of the ledger."""
    total, found = sum(stages.values()), dict[str, float]()
    for stage in sorted(stages, key=place_of):
        name = _JOINED.get(Stage(stage), stage)
        found[name] = found.get(name, 0.0) + stages[stage] / total
    return found
