"""What was sent and what was retrieved, side by side as one picture.

+--------+--------+
|  sent  | found  |   label, confidence, SNR, item
+--------+--------+   one row for each picture
"""

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import typer
from PIL import Image, ImageDraw, ImageOps

from cli.console import complain, out
from cli.lettering import Lettering
from shared.datasets.decoding import decode_picture
from shared.errors import InvalidSetting, NotFound, SemLinkError
from shared.frame.delivery import Delivery
from shared.printable import joined
from shared.units import channel_name, decibels

_SIDE: Final = 256  # of one picture, pixels
_MARGIN: Final = 12
_LINE: Final = 22
_FONT: Final = 15
_INK, _FAINT, _GOOD, _DOUBTFUL = "#1b1b1b", "#6b6b6b", "#1a7f37", "#9a6700"
_MOST_ROWS: Final = 50


class Pair(NamedTuple):
    """One delivery to draw. name: of what was sent. sent: its file. thumbnail: of the retrieved item; may be empty."""

    name: str
    sent: bytes
    delivery: Delivery
    thumbnail: bytes


def draw_sheet(pairs: Sequence[Pair]) -> Image.Image:
    """One row for each pair, at most 50: sent, retrieved, and below them label, confidence and SNR."""
    lettering = Lettering(_FONT)
    width, height = 2 * _SIDE + 3 * _MARGIN, _SIDE + 4 * _LINE + 2 * _MARGIN
    shown = pairs[:_MOST_ROWS]
    sheet = Image.new("RGB", (width, height * len(shown)), "white")
    for row, pair in enumerate(shown):
        _draw_row(sheet, row * height + _MARGIN, pair, lettering)
    _tell_missing(lettering)
    return sheet


def open_sheet(sheet: Image.Image, file: Path | None) -> None:
    """Show it in the system's picture viewer; without a file of its own it goes into the folder for temporary files."""
    if file is None:
        with tempfile.NamedTemporaryFile(prefix="semlink-", suffix=".png", delete=False) as kept:
            sheet.save(kept)
            file = Path(kept.name)
    if typer.launch(str(file)):
        raise NotFound(f"no picture viewer answers here; the picture is in {file}")


def show_sheet(sheet: Image.Image) -> None:
    """Show it in the terminal: by kitty's protocol, as sixels, or as coloured half blocks."""
    if not sys.stdout.isatty():
        raise InvalidSetting("--show draws into a terminal, and this output is none; --save FILE.png writes a file")
    _listen_to_terminal()
    try:
        from textual_image.renderable import Image as Drawn  # noqa: PLC0415 - asks the terminal what it can do
    except ModuleNotFoundError as error:
        raise NotFound("--show needs textual-image, which is not installed: pip install 'semlink[show]'") from error
    try:
        out.print(Drawn(sheet, width=min(out.width, 72)))
    except ZeroDivisionError as error:
        raise InvalidSetting("this terminal does not tell its size; --save FILE.png writes a file") from error


def _listen_to_terminal() -> None:
    """Let standard input be the terminal, which answers there what it can do, also after a picture came through it."""
    if sys.stdin.isatty():
        return
    try:
        os.dup2(os.open("/dev/tty", os.O_RDONLY), sys.stdin.fileno())
    except OSError as error:
        raise InvalidSetting("--show asks the terminal on standard input, and there is none; use --save") from error


def _tell_missing(lettering: Lettering) -> None:
    if lettering.missing:
        complain(
            f"no font of this machine has {joined(lettering.missing)}: the picture names them by number, [U+...]; "
            "install a font that has them, such as Noto"
        )


def _draw_row(sheet: Image.Image, top: int, pair: Pair, lettering: Lettering) -> None:
    delivery, draw = pair.delivery, ImageDraw.Draw(sheet)
    found = f"item {delivery.item_id}"
    for column, (title, file) in enumerate(((pair.name, pair.sent), (found, pair.thumbnail))):
        left = _MARGIN + column * (_SIDE + _MARGIN)
        sheet.paste(_tile(file), (left, top + _LINE))
        lettering.draw(draw, (left, top), lettering.fitting(title, _SIDE), _FAINT)
    below = top + _LINE + _SIDE + _MARGIN // 2
    label = delivery.label or "(no label)"
    state = "" if delivery.accepted else f", not accepted: {delivery.reason}"
    text = lettering.fitting(f"{label}   confidence {delivery.confidence:.2f}{state}", 2 * _SIDE)
    lettering.draw(draw, (_MARGIN, below), text, _GOOD if delivery.accepted else _DOUBTFUL)
    channel = delivery.channel
    snr = f"{decibels(channel.snr_db_asked, '.1f')} asked, {decibels(channel.snr_db_achieved, '.1f')} achieved"
    line = f"{channel_name(channel.fading)}, SNR {snr}; {delivery.codec}, k = {delivery.k}"
    lettering.draw(draw, (_MARGIN, below + _LINE), lettering.fitting(line, 2 * _SIDE), _INK)


def _tile(file: bytes) -> Image.Image:
    """The picture inside a square; grey where there is none that can be drawn."""
    tile = Image.new("RGB", (_SIDE, _SIDE), "#eeeeee")
    if file:
        try:
            picture = ImageOps.contain(decode_picture(file).image, (_SIDE, _SIDE))
        except SemLinkError:
            return tile
        tile.paste(picture, ((_SIDE - picture.width) // 2, (_SIDE - picture.height) // 2))
    return tile
