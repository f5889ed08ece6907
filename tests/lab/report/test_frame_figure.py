"""The frame's figure draws every symbol of the bursts as what it is."""

from collections import Counter
from pathlib import Path

from PIL import Image

from lab.report.frame_figure import LINES, bursts_of, draw_frame, parts_of
from shared.frame.header import header_class


def test_every_symbol_is_drawn_as_what_it_is(tmp_path: Path) -> None:
    counted = {line.title: sum((Counter(parts_of(burst)) for burst in bursts_of(line)), Counter()) for line in LINES}
    assert counted["implicit, k = 64"] == {"pilot": 8, "payload": 32}
    explicit = counted["explicit, k = 64, for −7 dB"]
    assert explicit == {"pilot": 8, "payload": 32, "header": header_class(-7).symbols}
    each = header_class(0)
    assert counted["explicit, the same for 0 dB"]["header"] == each.symbols + 2 * each.short_symbols
    draw_frame(tmp_path / "frame.png")
    with Image.open(tmp_path / "frame.png") as image:
        assert image.width > 600
