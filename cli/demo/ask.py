"""`semlink demo --ask`: questions about scenes over a running link, and a sheet of them.

original | what is sent | rebuilt at three SNRs, with answers        accuracy of the answers over SNR
"""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from cli.demo.style import PAPER, RC, RIGHT, WRONG, heading
from client.client import SemLink
from lab.report.style import MUTED
from shared.codecs.base.picture import dim_unsent
from shared.datasets.decoding import encode_png
from shared.datasets.scenes import KINDS, Questions, Scenes, draw_scenes, questions_about
from shared.datasets.scenes.words import ANSWERS
from shared.frame.delivery import Delivery
from shared.types import Pixels
from shared.units import decibels

SHOWN: Final = "uo-isc"
CODECS: Final = {SHOWN: "learned", "klt-relevance": "with the question", "klt": "without"}
SNRS_DB: Final = (-4.0, 0.0, 4.0, 8.0, 12.0)
SHOWN_DB: Final = (0.0, 4.0, 12.0)
SENT_DB: Final = 4.0
"""SNR at which the sheet shows what is sent: the better, the more cells."""
SYMBOLS: Final = 192
"""Of each picture, so that its bits grow with the SNR."""

_SPLIT = "seen"
_SHOWN = 6  # questions on the sheet, one of each kind
_COLOURS = {SHOWN: "#2563eb", "klt-relevance": "#15955a", "klt": "#66707f"}


@dataclass(frozen=True)
class AskResult:
    """deliveries: of each codec and SNR, one for each question. shown: rows of the questions on the sheet."""

    scenes: Scenes
    asked: Questions
    deliveries: dict[tuple[str, float], list[Delivery]]
    shown: list[int]

    def accuracy(self, codec: str, snr_db: float) -> float:
        """Share of the receiver's answers that are true."""
        pairs = zip(self.deliveries[codec, snr_db], self.asked.answer, strict=True)
        return float(np.mean([delivery.answer == ANSWERS[truth] for delivery, truth in pairs]))

    def to_json(self) -> dict[str, Any]:
        """A strict JSON object."""
        rows = [
            {"codec": codec, "snr_db": snr_db, "accuracy": self.accuracy(codec, snr_db), "bits": _bits(deliveries)}
            for (codec, snr_db), deliveries in self.deliveries.items()
        ]
        return {"questions": len(self.asked.kind), "symbols": SYMBOLS, "rows": rows}


def run_ask(transmitter: str, scenes: int) -> AskResult:
    """Ask one question of each kind about so many scenes, by each codec at each SNR."""
    drawn, asked = draw_scenes(_SPLIT, range(scenes)), questions_about(_SPLIT, range(scenes))
    files, texts = [encode_png(pixels) for pixels in drawn.pixels], asked.texts()
    pairs = [(files[scene], text) for scene, text in zip(asked.scene, texts, strict=True)]
    with SemLink(transmitter, timeout=120) as link:
        deliveries = {(codec, snr_db): _asked(link, pairs, codec, snr_db) for codec in CODECS for snr_db in SNRS_DB}
    shown = [
        int(np.flatnonzero(asked.kind == kind)[kind % max(1, (asked.kind == kind).sum())]) for kind in range(_SHOWN)
    ]
    return AskResult(drawn, asked, deliveries, shown)


def _asked(link: SemLink, pairs: list[tuple[bytes, str]], codec: str, snr_db: float) -> list[Delivery]:
    """The answers to all pairs in their order. Raises the error of one that has none."""
    answers = link.ask_many(
        pairs, ordered=True, codec=codec, k=2 * SYMBOLS, bits=8192,
        snr_db=snr_db, design_snr_db=snr_db, seed=1, counter=0,
    )  # fmt: skip
    found = []
    for _, outcome in answers:
        if not isinstance(outcome, Delivery):
            raise outcome
        found.append(outcome)
    return found


def draw_ask(result: AskResult, path: Path) -> None:
    """Write the sheet as PNG."""
    with mpl.rc_context(RC):
        figure = Figure(figsize=(16, 9), dpi=120, facecolor=PAPER)
        FigureCanvasAgg(figure)
        figure.text(0.03, 0.945, "SemLink: ask, and only that is sent", fontsize=23, fontweight="bold")
        words = (
            f"{len(result.asked.kind)} questions",
            f"{SYMBOLS} complex symbols a picture",
            "AWGN, 8 pilots",
            "answers by the receiver on the rebuilt picture",
        )
        figure.text(0.03, 0.912, "   ·   ".join(words), fontsize=11.5, color=MUTED)
        _draw_sheet(figure, result)
        axes = figure.add_axes((0.71, 0.42, 0.26, 0.40))
        heading(axes, "Right answers against SNR", "equal symbols; against the truth")
        _draw_accuracy(axes, result)
        figure.savefig(path, dpi=120)


def _draw_sheet(figure: Figure, result: AskResult) -> None:
    """One row for each question: original, what is sent, and what arrived."""
    grid = figure.add_gridspec(
        len(result.shown), 2 + len(SHOWN_DB), left=0.225, right=0.665, top=0.845, bottom=0.03, wspace=0.05, hspace=0.22
    )
    for line, row in enumerate(result.shown):
        axes = [figure.add_subplot(grid[line, column]) for column in range(2 + len(SHOWN_DB))]
        original = result.scenes.pixels[result.asked.scene[row]]
        for each in axes:
            each.set_xticks([])
            each.set_yticks([])
        axes[0].imshow(original)
        axes[1].imshow(_sent(original, result.deliveries[SHOWN, SENT_DB][row]))
        for at, snr_db in zip(axes[2:], SHOWN_DB, strict=True):
            _draw_arrival(at, result.deliveries[SHOWN, snr_db][row], ANSWERS[result.asked.answer[row]])
        if line == 0:
            headings = ("original", f"sent at {decibels(SENT_DB)}", *map(decibels, SHOWN_DB))
            for at, text in zip(axes, headings, strict=True):
                at.set_title(text, fontsize=10, color=MUTED)
        place = axes[0].get_position()
        middle = (place.y0 + place.y1) / 2
        figure.text(0.03, middle + 0.006, _wrapped(result.asked.texts()[row]), fontsize=10.5, va="center")
        figure.text(0.03, place.y0 + 0.006, KINDS[result.asked.kind[row]], fontsize=9, color=MUTED, va="center")


def _draw_arrival(axes: Axes, delivery: Delivery, truth: str) -> None:
    """A rebuilt picture with its answer, and a mark whether that is true."""
    with Image.open(io.BytesIO(delivery.picture)) as picture:
        axes.imshow(np.asarray(picture))
    right = delivery.answer == truth
    mark = f"{delivery.answer or 'lost'} {'✓' if right else '✗'}"
    axes.set_xlabel(mark, fontsize=9.5, color=RIGHT if right else WRONG, labelpad=2)


def _draw_accuracy(axes: Axes, result: AskResult) -> None:
    for codec, words in CODECS.items():
        values = [result.accuracy(codec, snr_db) for snr_db in SNRS_DB]
        axes.plot(SNRS_DB, values, marker="o", color=_COLOURS[codec], label=f"{codec}, {words}", linewidth=2)
        if codec == SHOWN:
            for snr_db, value in zip(SNRS_DB, values, strict=True):
                bits = _bits(result.deliveries[codec, snr_db])
                axes.annotate(f"{bits:.0f} bits", (snr_db, value), (0, 9), textcoords="offset points", fontsize=8.5,
                              ha="center", color=MUTED)  # fmt: skip
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("Es/N0, dB")
    axes.grid(visible=True, axis="y", color="#e4e8ee")
    axes.legend(frameon=False, loc="lower right", fontsize=9.5)


def _sent(original: Pixels, delivery: Delivery) -> Pixels:
    """The original, pale where it gets few bits."""
    assert delivery.asked is not None
    return dim_unsent(original, delivery.asked.sent_cells)


def _bits(deliveries: list[Delivery]) -> float:
    return float(np.mean([delivery.asked.bits for delivery in deliveries if delivery.asked is not None]))


def _wrapped(text: str) -> str:
    """Two lines of about the same length."""
    words = text.split()
    cut = (len(words) + 1) // 2
    return text if len(text) < 26 else " ".join(words[:cut]) + "\n" + " ".join(words[cut:])
