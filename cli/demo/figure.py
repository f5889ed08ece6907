"""The demo's figure: one slide, 1920 × 1080 pixels.

title
pairs: sent, retrieved at the best and the worst SNR   | accuracy against SNR
constellation: sent, received, equalized               | where the time went
"""

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec

from cli.demo.panels import MARKED_SYMBOLS, draw_accuracy, draw_constellation, draw_ledger, draw_pairs
from cli.demo.result import SHOWN, DemoResult, Row, shown_rows
from cli.demo.style import RC, at, heading
from cli.demo.tables import load
from lab.report.style import MUTED

_SIZE, _DPI = (16, 9), 120


def draw_figure(result: DemoResult, path: Path) -> None:
    """Write the figure as PNG."""
    with mpl.rc_context(RC):
        figure = Figure(figsize=_SIZE, dpi=_DPI)
        FigureCanvasAgg(figure)
        _title(figure, result)
        _pairs(figure, result)
        _accuracy(figure, result)
        _constellations(figure, result)
        _ledger(figure, result)
        figure.savefig(path, dpi=_DPI)


def _title(figure: Figure, result: DemoResult) -> None:
    sent = result.rows[1:]
    symbols, cbr, cbr_total = (np.mean([row.means[name] for row in sent]) for name in ("symbols", "cbr", "cbr_total"))
    words = (
        f"{len(result.pictures)} pictures a channel",
        f"{result.sent}: {symbols:.3g} complex symbols a picture",
        f"cbr {cbr:.4f}, {cbr_total:.4f} with all that was sent",
        f"CLIP {result.transmitter.clip}",
    )
    figure.text(0.03, 0.945, "SemLink: the meaning of a picture over a noisy channel", fontsize=23, fontweight="bold")
    figure.text(0.03, 0.912, "   ·   ".join(words), fontsize=11.5, color=MUTED)


def _pairs(figure: Figure, result: DemoResult) -> None:
    rows = shown_rows(result.rows)
    lines = 1 + len(rows)
    grid = GridSpec(lines, SHOWN, figure, left=0.085, right=0.635, top=0.815, bottom=0.45, wspace=0.16, hspace=0.3)
    columns = min(SHOWN, len(result.pictures))
    axes = [[figure.add_subplot(grid[line, column]) for column in range(columns)] for line in range(lines)]
    draw_pairs(axes, result, rows)
    figure.text(0.03, 0.857, "Sent and retrieved", fontsize=12.5, fontweight="bold")
    where = " and ".join(at(row.setup.snr_db) for row in rows)
    figure.text(0.03, 0.835, f"AWGN {where}; the retrieved pictures are the knowledge base's", fontsize=9, color=MUTED)


def _accuracy(figure: Figure, result: DemoResult) -> None:
    axes = figure.add_axes((0.695, 0.485, 0.275, 0.335))
    heading(axes, "Semantic accuracy against SNR", "share of retrieved labels that are right, with 95 % intervals")
    draw_accuracy(axes, result)


def _constellations(figure: Figure, result: DemoResult) -> None:
    awgn, rayleigh = (_best(result, fading) for fading in ("none", "rayleigh"))
    where = at(awgn.setup.snr_db)
    panels = (
        (awgn, "sent", "sent"),
        (awgn, "received", f"received, AWGN {where}"),
        (rayleigh, "received", f"received, Rayleigh {where}"),
        (rayleigh, "equalized", f"equalized, Rayleigh {where}"),
    )
    limit = _limit(awgn)
    marked = _typical(rayleigh)
    grid = GridSpec(1, 4, figure, left=0.03, right=0.635, top=0.335, bottom=0.075, wspace=0.08)
    for column, (row, part, title) in enumerate(panels):
        axes = figure.add_subplot(grid[0, column])
        if column == 0:
            count = min(MARKED_SYMBOLS, awgn.deliveries[0].k // 2)
            heading(axes, "The constellation", f"symbols of all pictures; in black, {count} of one picture")
        draw_constellation(axes, row, part, title=title, limit=limit, marked=marked)


def _ledger(figure: Figure, result: DemoResult) -> None:
    axes = figure.add_axes((0.762, 0.185, 0.208, 0.15))
    rows = [result.rows[0], _best(result, "none"), _best(result, "rayleigh")]
    figure.text(0.695, 0.3685, "Where the time went", fontsize=12.5, fontweight="bold")
    figure.text(0.695, 0.3475, f"median ms of each stage, {load(result)}; hatched: emulated", fontsize=9, color=MUTED)
    draw_ledger(axes, rows)


def _best(result: DemoResult, fading: str) -> Row:
    """The row of a kind of channel with the highest SNR."""
    return max((row for row in result.rows[1:] if row.setup.fading == fading), key=lambda row: row.setup.snr_db)


def _typical(row: Row) -> int:
    """The picture whose |gain| is nearest to 1, so that its fading is mostly a rotation."""
    return int(np.argmin([abs(abs(delivery.channel.gain) - 1) for delivery in row.deliveries]))


def _limit(row: Row) -> float:
    """Half the width of the constellations, the same for all."""
    received = np.concatenate([delivery.trace.received for delivery in row.deliveries if delivery.trace is not None])
    return float(np.quantile(np.abs(received), 0.995)) * 1.1
