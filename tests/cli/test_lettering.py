"""Text of any script in pictures, with a font made here that has one letter."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from PIL import Image, ImageDraw

from cli import lettering
from cli.lettering import Lettering

OWN, NOBODYS = "\U0010f0f0", "\U0003fff0"
"""A code point of private use that the font here has, and one that stands for nothing, which no font has."""


@pytest.fixture
def own_font(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A font of one triangle among the user's own."""
    made = FontBuilder(1000)
    made.setupGlyphOrder([".notdef", "triangle"])
    made.setupCharacterMap({ord(OWN): "triangle"})
    glyphs = {".notdef": TTGlyphPen(None).glyph(), "triangle": _triangle()}
    made.setupGlyf(glyphs)
    made.setupHorizontalMetrics(dict.fromkeys(glyphs, (1000, 0)))
    made.setupHorizontalHeader(ascent=800, descent=-200)
    made.setupNameTable({"familyName": "Own", "styleName": "Regular"})
    made.setupOS2()
    made.setupPost()
    (tmp_path / "fonts").mkdir()
    made.save(tmp_path / "fonts" / "own.ttf")
    (tmp_path / "fonts" / "broken.ttf").write_bytes(b"no font")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    _forget()
    yield
    _forget()


def _triangle() -> object:
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    for point in ((500, 700), (900, 0)):
        pen.lineTo(point)
    pen.closePath()
    return pen.glyph()


def _forget() -> None:
    for remembered in (lettering._font_files, lettering._font_of):
        remembered.cache_clear()


def drawn(letters: Lettering, text: str) -> bytes:
    picture = Image.new("L", (300, 30), "white")
    letters.draw(ImageDraw.Draw(picture), (5, 5), text, "black")
    return picture.tobytes()


@pytest.mark.usefixtures("own_font")
def test_each_letter_is_of_a_font_that_has_it() -> None:
    letters = Lettering(20)
    assert [part for part, _ in letters._runs(f"a{OWN}{OWN} b")] == ["a", OWN + OWN, " b"]
    assert letters.width(OWN) == pytest.approx(20)
    assert drawn(letters, OWN) != drawn(letters, " ")
    assert not letters.missing


def test_a_letter_that_no_font_has_is_named_by_its_number() -> None:
    letters = Lettering(20)
    assert drawn(letters, f"a{NOBODYS}") == drawn(letters, "a[U+3FFF0]")
    assert [*letters.missing] == [NOBODYS]


def test_marks_stay_with_their_letter_and_selectors_go() -> None:
    assert [*lettering._letters("e\u0301a\u2764\ufe0f")] == ["e\u0301", "a", "\u2764"]


def test_text_is_cut_to_a_width() -> None:
    letters = Lettering(20)
    cut = letters.fitting("a" * 100, 100)
    assert cut.endswith("a...")
    assert letters.width(cut) <= 100 < letters.width(f"a{cut}")
