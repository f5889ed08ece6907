"""The palette, and how a scheme looks, the same in every figure."""

from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib import rc_params_from_file
from matplotlib.figure import Figure
from PIL import Image

INK, MUTED, GRID = "#1b2433", "#66707f", "#e4e8ee"
BLUE, ORANGE, GREEN, PURPLE, RED = "#2563eb", "#e2711d", "#15955a", "#9d4edd", "#d92d3a"
CYCLE = (BLUE, ORANGE, GREEN, PURPLE, RED)
RIGHT, WRONG = GREEN, RED


class Look(NamedTuple):
    """colour, line and marker, as matplotlib takes them. width: in points."""

    colour: str
    line: str = "-"
    marker: str = "o"
    width: float = 1.4

    def options(self) -> Any:
        """Keyword arguments of a matplotlib line."""
        return {"color": self.colour, "linestyle": self.line, "marker": self.marker, "linewidth": self.width}


LOOKS = {
    "nested": Look("#1d4ed8", width=2.4),
    "nested-nearest": Look("#60a5fa", "--"),
    "nested-unlabelled": Look("#0891b2", "-."),
    "label": Look("#0f766e", marker="s"),
    "kbsc": Look("#d97706", marker="^"),
    "kbsc-vote": Look("#b45309", "--", "^"),
    "kbsc-authors": Look("#d97706", ":", "v"),
    "raw": Look("#64748b", "--", "x"),
    "vq-digital": Look("#9333ea", marker="D"),
    "jpeg-ldpc": Look("#dc2626", marker="P"),
    "webp-ldpc": Look("#f87171", marker="P"),
    "hevc-ldpc": Look("#7f1d1d", marker="P"),
    "jpeg-ldpc-mosaic": Look("#dc2626", ":", "*"),
    "webp-ldpc-mosaic": Look("#f87171", ":", "*"),
    "hevc-ldpc-mosaic": Look("#7f1d1d", ":", "*"),
    "deepjscc": Look("#65a30d", marker="h"),
    "swinjscc": Look("#365314", marker="h"),
}
_OTHERS = ("#be185d", "#4338ca", "#854d0e", "#155e75")

RC: Any = rc_params_from_file(Path(__file__).with_name("semlink.mplstyle"), use_default_template=False)
"""The style sheet, for `matplotlib.rc_context`."""


def save(figure: Figure, path: Path) -> None:
    """Write a PNG of 256 colours, a third as large as one of all colours."""
    drawn = BytesIO()
    figure.savefig(drawn)
    Image.open(drawn).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


def look_of(scheme: str) -> Look:
    """The look of a scheme; schemes of your own get one by their name."""
    return LOOKS.get(scheme) or Look(_OTHERS[sum(scheme.encode()) % len(_OTHERS)], marker="d")
