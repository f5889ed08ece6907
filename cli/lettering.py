"""Text of any script in a picture: each letter by the first font here that has it, or by its number.

    猫 cat  -->  [猫: a font of the system] [ cat: Pillow's own]
    no font -->  [[U+732B] cat: Pillow's own], and `Lettering.missing` has 猫

Pillow takes one font for a text and draws a box for a letter that the font lacks.
"""

import os
import unicodedata
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from typing import Final

from PIL import ImageDraw, ImageFont, features

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

_NOWHERE: Final = "\U0010ffff"  # a code point that no font has
_SELECTORS: Final = frozenset("\ufe0e\ufe0f\u200d")  # how an emoji looks; without them each part is drawn
_ENDINGS: Final = (".ttf", ".otf", ".ttc")
_BOXES: Final = "lastresort"  # matplotlib's font of one box for each script
_UNUSUAL: Final = ("bold", "italic", "oblique", "light", "thin", "black", "mono", "condensed")
_RIGHT_TO_LEFT: Final = ("R", "AL")


class Lettering:
    """Draws text of one size. missing: characters for which there was no font, in the order that they came up."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._ascent = round(0.95 * size)
        self.missing: dict[str, None] = {}

    def width(self, text: str) -> float:
        """Of the text as it is drawn, pixels."""
        return sum(font.getlength(part) for part, font in self._runs(text))

    def draw(self, draw: ImageDraw.ImageDraw, at: tuple[float, float], text: str, fill: str) -> None:
        """Draw with the upper left corner at (x, y)."""
        x, y = at
        for part, font in self._runs(text):
            draw.text((x, y + self._ascent), part, fill, font, anchor="ls")
            x += font.getlength(part)

    def fitting(self, text: str, width: float) -> str:
        """The text, cut where it would be wider than `width` pixels."""
        if self.width(text) <= width:
            return text
        while text and self.width(f"{text}...") > width:
            text = text[:-1]
        return f"{text}..."

    def _runs(self, text: str) -> list[tuple[str, Font]]:
        """Parts of the text that one font draws."""
        found = [self._drawable(letter) for letter in _letters(text)]
        return [("".join(part for part, _ in run), font) for font, run in groupby(found, key=lambda each: each[1])]

    def _drawable(self, letter: str) -> tuple[str, Font]:
        """A letter and its font, or its numbers."""
        font = _font_of(letter, self._size)
        if font is not None:
            return letter, font
        self.missing[letter] = None
        return "".join(f"[U+{ord(one):04X}]" for one in letter), _first_font(self._size)


def _letters(text: str) -> Iterator[str]:
    """Each character with the marks that follow it, which have to be of the same font."""
    letter = ""
    for one in text:
        if one in _SELECTORS:
            continue
        if letter and not unicodedata.category(one).startswith(("M", "Cf")):
            yield letter
            letter = ""
        letter += one
    if letter:
        yield letter


@cache
def _font_of(letter: str, size: int) -> Font | None:
    """The first font that has a letter; none, also where Pillow cannot draw from right to left."""
    if unicodedata.bidirectional(letter[0]) in _RIGHT_TO_LEFT and not features.check("raqm"):
        return None
    return next((font for font in _fonts(size) if _has(font, letter)), None)


def _fonts(size: int) -> Iterator[Font]:
    """Pillow's own, DejaVu Sans of matplotlib, and those of the system."""
    yield _first_font(size)
    for path in _font_files():
        if (font := _opened(path, size)) is not None:
            yield font


@cache
def _first_font(size: int) -> Font:
    return ImageFont.load_default(size)


@cache
def _opened(path: Path, size: int) -> Font | None:
    """A font; none where it is damaged, or of pictures of another size."""
    try:
        return ImageFont.truetype(path, size)
    except OSError:
        return None


@cache
def _has(font: Font, letter: str) -> bool:
    """Whether the font draws each character as something else than one that it lacks."""
    lacking = bytes(font.getmask(_NOWHERE))
    return all(
        one.isspace() or unicodedata.category(one) == "Cf" or bytes(font.getmask(one)) != lacking for one in letter
    )


@cache
def _font_files() -> list[Path]:
    """Files of fonts: upright and regular ones first, then in the order of their names."""
    found = [path for folder in _folders() for path in folder.rglob("*") if path.suffix.lower() in _ENDINGS]
    letters = [path for path in found if _BOXES not in path.name.lower()]
    return sorted(letters, key=lambda path: (any(word in path.name.lower() for word in _UNUSUAL), path.name))


def _folders() -> list[Path]:
    """Where matplotlib, Linux, macOS and Windows keep fonts."""
    home, data = Path.home(), os.environ.get("XDG_DATA_HOME")
    matplotlib = find_spec("matplotlib")
    folders = [
        *([Path(matplotlib.origin).parent / "mpl-data" / "fonts" / "ttf"] if matplotlib and matplotlib.origin else []),
        Path(data) / "fonts" if data else home / ".local" / "share" / "fonts",
        home / ".fonts",
        *(Path(each) for each in ("/usr/share/fonts", "/usr/local/share/fonts", "/Library/Fonts")),
        Path("/System/Library/Fonts"),
        home / "Library" / "Fonts",
        Path(os.environ.get("WINDIR", "C:/Windows")) / "Fonts",
    ]
    return [folder for folder in folders if folder.is_dir()]
