"""The frame drawn to scale: `python -m lab.report.frame_figure docs/air-frame.png`.

Each line is one picture as the transmitter frames it, from the bursts themselves: pilots, header, payload.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from lab.report.style import RC
from lab.simulate.chain import Chain, channel_chain
from shared.frame.burst import NO_CODEC, Burst
from shared.phy import ChannelSettings, pilot_positions
from shared.phy.conditions.settings import GUARD_SYMBOLS

_COLOURS: Final = {"pilot": "#d97706", "header": "#dc2626", "payload": "#1d4ed8", "guard": "#e2e8f0"}
_LABELS: Final = {
    "pilot": "pilots",
    "header": "header",
    "payload": "payload",
    "guard": "guard, nothing is sent",
}


class Line(NamedTuple):
    """One line of the figure. lengths: k of each round. fields: of the `Chain`."""

    title: str
    lengths: Sequence[int]
    fields: dict[str, Any]


LINES: Final = (
    Line("implicit, k = 64", (64,), {"framing": "implicit"}),
    Line("the same, scattered pilots", (64,), {"framing": "implicit", "pilot_pattern": "scattered"}),
    Line("explicit, k = 64, for 4 dB", (64,), {"framing": "explicit", "header_snr_db": 4.0}),
    Line("explicit, k = 64, for 0 dB", (64,), {"framing": "explicit", "header_snr_db": 0.0}),
    Line("explicit, k = 64, for −7 dB", (64,), {"framing": "explicit", "header_snr_db": -7.0}),
    Line("implicit, HARQ to k = 8, 16, 32", (8, 16, 32), {"framing": "implicit"}),
    Line("explicit, the same for 0 dB", (8, 16, 32), {"framing": "explicit", "header_snr_db": 0.0}),
)


def bursts_of(line: Line) -> list[Burst]:
    """The bursts of one picture, one for each round."""
    chain: Chain = channel_chain(ChannelSettings(), **line.fields)
    codecs = [replace(NO_CODEC, k=k) for k in line.lengths]
    posteriors = [0.9] * (len(codecs) - 1) + [0.0]
    configuration = chain.configuration(codecs, posteriors)
    return [
        chain.burst(configuration, np.ones((after - before) // 2, np.complex64), number, number=number)
        for number, (before, after) in enumerate(pairwise((0, *line.lengths)))
    ]


def parts_of(burst: Burst) -> list[str]:
    """What each symbol of a burst is, in order: pilot, header or payload."""
    found = np.full(burst.symbols.size, "payload")
    pilots = pilot_positions(burst.pilot_symbols, burst.symbols.size, burst.pilot_pattern)
    found[pilots] = "pilot"
    found[np.delete(np.arange(found.size), pilots)[: burst.header_symbols]] = "header"
    return found.tolist()


def draw_frame(path: Path) -> None:
    """Draw all lines to one scale, a symbol as wide as any other."""
    with mpl.rc_context(RC):
        figure = Figure(figsize=(9.5, 0.42 * len(LINES) + 1.2), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        for place, line in enumerate(LINES):
            _draw(axes, place, bursts_of(line))
        axes.set_yticks(range(len(LINES)), [line.title for line in LINES])
        axes.invert_yaxis()
        axes.set_xlabel("channel uses")
        axes.grid(visible=False)
        axes.spines[["left", "top", "right"]].set_visible(False)
        axes.tick_params(left=False)
        handles = [Patch(color=colour, label=_LABELS[name]) for name, colour in _COLOURS.items()]
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path)


def _draw(axes: Axes, place: int, bursts: Sequence[Burst]) -> None:
    start = sent = 0
    for number, burst in enumerate(bursts):
        if number:
            axes.barh(place, GUARD_SYMBOLS, 0.62, left=start, color=_COLOURS["guard"])
            start += GUARD_SYMBOLS
        for part in parts_of(burst):
            axes.barh(place, 1, 0.62, left=start, color=_COLOURS[part], linewidth=0)
            start += 1
        sent += burst.symbols.size
    axes.text(start, place, f"  {sent}", va="center", fontsize=8)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    draw_frame(parser.parse_args().path)
