"""Figures of `semlink evaluate ask`: matches over bits and over SNR, and pictures as they arrive."""

from pathlib import Path
from typing import Final

import matplotlib as mpl
import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from lab.evaluate.ask.points import ABLATIONS, ANSWER, BITS_ON_AIR, ON_AIR, RETRIEVED, SYMBOLS, AskLab
from lab.evaluate.ask.schemes import error_free
from lab.report.style import INK, MUTED, RC, Look, save
from shared.codecs.base.picture import Asked
from shared.datasets.scenes import KINDS, draw_scenes, questions_about
from shared.types import Pixels

_LOOKS: Final = {
    "uo-isc": Look("#1d4ed8", width=2.4),
    "uo-isc-random": Look("#60a5fa", ":", "x"),
    "klt-relevance": Look("#15955a", width=2.0),
    "uo-isc-harq": Look("#1d4ed8", "--", "^"),
    "klt-relevance-harq": Look("#15955a", "--", "^"),
    "uo-isc-long": Look("#1d4ed8", "-.", "s"),
    "klt-relevance-long": Look("#15955a", "-.", "s"),
    "klt": Look("#66707f", marker="s"),
    "klt-random": Look("#66707f", ":", "x"),
    "downscaled": Look("#854d0e", "--", "v"),
    "webp": Look("#f87171", "--", "P"),
    "jpeg2000": Look("#dc2626", "--", "P"),
    "hevc": Look("#7f1d1d", "--", "P"),
    "hevc-crop": Look("#e2711d", "--", "*"),
    "uo-isc-8psk": Look("#1d4ed8", ":", "v"),
    "uo-isc-channel-8psk": Look("#7c93e8", ":", "^"),
    "klt-relevance-8psk": Look("#15955a", ":", "v"),
    ANSWER: Look("#111827", "-.", "D", 1.0),
    SYMBOLS: Look("#9d4edd", "-.", "D", 1.0),
    RETRIEVED: Look("#0891b2", "-.", "h", 1.0),
}
_PICTURES: Final = ("klt", "klt-relevance", "uo-isc")
_PICTURE_BITS: Final = (96, 192, 384, 768)


def draw_ask_figure(table: pl.DataFrame, path: Path) -> None:
    """Matches against bits without errors, and against SNR over two channels, as PNG."""
    with mpl.rc_context(RC):
        figure = Figure(figsize=(16, 5.4), layout="constrained")
        FigureCanvasAgg(figure)
        first, *others = figure.subplots(1, 3, sharey=True)
        _draw_rates(first, table.filter(pl.col("snr_db").is_null()).filter(split="seen"))
        for axes, fading, name in zip(others, ("none", "rayleigh"), ("AWGN", "Rayleigh block fading"), strict=True):
            _draw_air(axes, table.filter(fading=fading).filter(pl.col("snr_db").is_not_null()))
            axes.set_title(f"{name}, 8 pilots, {BITS_ON_AIR} bits", loc="left")
        others[1].legend(fontsize=8, loc="center left", bbox_to_anchor=(1.01, 0.5))  # of both
        first.set_ylabel("share of answers that match")
        first.set_ylim(0.2, 1.02)
        save(figure, path)


def _draw_rates(axes: Axes, rows: pl.DataFrame) -> None:
    for scheme in rows["scheme"].unique(maintain_order=True):
        found = rows.filter(scheme=scheme).sort("bits_sent")
        if scheme in (RETRIEVED, *ABLATIONS):  # nobody sends the bits of the one so, and a table has the others
            continue
        axes.plot(found["bits_sent"], found["match"], label=scheme, **_LOOKS[scheme].options())
    axes.set_xscale("log", base=2)
    axes.set_xlabel("bits of a picture, positions included")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_title("no errors, seen combinations", loc="left")
    axes.legend(fontsize=8, ncols=2)


def _draw_air(axes: Axes, rows: pl.DataFrame) -> None:
    for scheme in ON_AIR:
        found = rows.filter(scheme=scheme).sort("snr_db")
        axes.plot(found["snr_db"], found["match"], label=scheme, **_LOOKS[scheme].options())
    axes.set_xlabel("Es/N0, dB")


def draw_pictures(path: Path) -> None:
    """One question of each kind, and what arrives without errors: originals, then codecs at four rates, as PNG."""
    scenes = range(3 * len(KINDS))
    lab, asked = AskLab.load(), questions_about("unseen-combinations", scenes)
    rows = [int(np.flatnonzero((asked.kind == kind) & (asked.scene >= kind))[0]) for kind in range(len(KINDS))]
    pixels = draw_scenes("unseen-combinations", scenes).pixels[asked.scene[rows]]
    given, schemes = Asked(pixels, asked.words[rows]), error_free(lab.code, lab.judge, lab.tokens)
    columns = [("original", pixels)] + [
        (f"{name}\n{bits} bits", schemes[name](given, bits)) for name in _PICTURES for bits in _PICTURE_BITS
    ]
    texts, said = asked.texts(), [lab.judge.answer(shown, given.words).texts() for _, shown in columns]
    with mpl.rc_context(RC):
        figure = Figure(figsize=(17.5, 9.2))
        FigureCanvasAgg(figure)
        panels = figure.subplots(len(rows), len(columns), squeeze=False)
        figure.subplots_adjust(0.015, 0.02, 0.995, 0.93, 0.06, 0.42)
        for line, row in enumerate(rows):
            for column, (name, shown) in enumerate(columns):
                same = said[column][line] == said[0][line]
                _draw_picture(panels[line, column], shown[line], said[column][line], same=same)
                if line == 0:
                    panels[line, column].annotate(
                        name, (0.5, 1.32), xycoords="axes fraction", ha="center", va="bottom", fontsize=9, color=MUTED
                    )
            panels[line, 0].annotate(texts[row], (0, 1.06), xycoords="axes fraction", fontsize=9.5, color=INK)
        figure.savefig(path, dpi=80)  # of all colours: pictures


def _draw_picture(axes: Axes, picture: Pixels, answer: str, *, same: bool) -> None:
    axes.imshow(picture)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(visible=False)
    axes.set_xlabel(answer, fontsize=8.5, color="#15955a" if same else "#d92d3a", labelpad=2)
