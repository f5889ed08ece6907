"""The style of the demo's figure: that of all figures, adapted to a slide."""

import math
from typing import Any

from matplotlib.axes import Axes

from lab.report import style
from lab.report.style import GRID, INK, MUTED
from shared.units import decibels

PAPER = "#ffffff"
AWGN, RAYLEIGH, CLEAN = "#2563eb", "#e2711d", "#475569"
RIGHT, WRONG = "#15955a", "#d92d3a"
STAGES = (
    "#1e3a8a", "#2563eb", "#60a5fa", "#0f766e", "#2dd4bf", "#a3b18a", "#e9c46a", "#f4a261", "#e76f51", "#9d4edd",
    "#c77dff", "#6d6875", "#b5838d", "#8d99ae",
)  # fmt: skip

RC: Any = {
    **style.RC,
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": GRID,
    "axes.grid": False,
    "axes.spines.top": True,
    "axes.spines.right": True,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "hatch.linewidth": 0.8,
    "savefig.bbox": "standard",  # 1920 x 1080, not cropped
}


def colour_of(fading: str) -> str:
    """The colour of a kind of channel, the same in every panel."""
    return RAYLEIGH if fading == "rayleigh" else AWGN


def heading(axes: Axes, text: str, further: str = "") -> None:
    """A panel's heading: what it shows in bold, and under it in grey the settings."""
    axes.annotate(text, (0, 1), (0, 24), "axes fraction", "offset points", fontsize=12.5, fontweight="bold")
    axes.annotate(further, (0, 1), (0, 9), "axes fraction", "offset points", fontsize=9, color=MUTED)


def at(snr_db: float) -> str:
    """An SNR as the end of a phrase."""
    return f"at {decibels(snr_db)}" if math.isfinite(snr_db) else "without noise"
