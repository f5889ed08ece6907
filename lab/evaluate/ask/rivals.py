"""What else shows a receiver a picture: fewer pixels, picture files, files of the relevant part, another picture.

All are error-free here: which picture the receiver gets for so many bits.
"""

import io
from collections.abc import Callable
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from PIL import Image

from lab.evaluate.ask.questions import Exam
from shared.clip import Clip, embed_pictures, load_clip
from shared.codecs.base.picture import ASKED_SIDE as SIDE
from shared.codecs.base.picture import GREY
from shared.codecs.picture.formats import FORMATS
from shared.codecs.query.mask import POSITION_BITS, most_relevant
from shared.codecs.query.transform import BLOCK, GRID
from shared.datasets.scenes import draw_scenes
from shared.types import Bools, Embeddings, Pixels

ITEMS: Final = 2000
"""Scenes in the knowledge base of `nested`, of the split that codecs learn from."""

_SIDES: Final = (64, 48, 32, 24, 16, 8)
_DEPTHS: Final = {96: (4, 2), 192: (8, 1), 384: (8, 2), 768: (8, 4), 1536: (16, 2), 3072: (16, 4)}
"""Pixels across and bits of each colour; the better of the splits that the trial tried."""


class Shown(NamedTuple):
    """pixels: of each question [Q, 64, 64, 3]. bits: mean. exists: share of the pictures for which there is a file."""

    pixels: Pixels
    bits: float
    exists: float = 1.0


def downscaled(exam: Exam, bits: int) -> Shown:
    """Fewer pixels, each colour rounded to a few bits."""
    side, depth = _DEPTHS[bits]
    step = 256 / (1 << depth)
    small = exam.pixels.reshape(-1, side, SIDE // side, side, SIDE // side, 3).mean((2, 4))
    rounded = ((np.floor(small / step) + 0.5) * step).astype(np.uint8)
    return Shown(np.stack([_resized(each, SIDE) for each in rounded])[exam.asked.scene], bits)


def as_files(kind: str) -> Callable[[Exam, int], Shown]:
    """The best file within the bits, of the picture at the largest size of which there is one."""

    def shown(exam: Exam, bits: int) -> Shown:
        found = _gathered([best_file(kind, picture, bits) for picture in exam.pixels])
        return found._replace(pixels=found.pixels[exam.asked.scene])

    return shown


def hevc_crop(exam: Exam, bits: int) -> Shown:
    """The smallest rectangle around the four relevant blocks as a file; its corners take the bits of the positions."""
    chosen = most_relevant(exam.relevance).reshape(-1, GRID, GRID)
    found = []
    for picture, blocks in zip(exam.pixels[exam.asked.scene], chosen, strict=True):
        rows, columns = _box(blocks)
        best = best_file("hevc", picture[rows, columns], bits - POSITION_BITS)
        if best is not None:
            whole = np.full_like(picture, GREY)
            whole[rows, columns] = best[0]
            best = whole, best[1] + POSITION_BITS
        found.append(best)
    return _gathered(found)


def best_file(kind: str, picture: Pixels, bits: int) -> tuple[Pixels, int] | None:
    """A picture [H, W, 3] as the best file of at most so many bits, and its bits; None if there is none.

    The size is the largest of which there is a file. Headers of HEVC, 3,000 bits that never change, are not counted.
    """
    for side in _SIDES:
        scale = side / SIDE
        small = _resized(picture, *(max(8, round(scale * each)) for each in picture.shape[:2]))
        coded = _jpeg2000(small, bits // 8) if kind == "jpeg2000" else _by_quality(kind, small, bits // 8)
        if coded is not None:
            return _resized(coded[0], *picture.shape[:2]), 8 * coded[1]
    return None


def retrieved(exam: Exam) -> tuple[Embeddings, Embeddings, Pixels]:
    """Embeddings [N, D] of the scenes and [I, D] of the items of a knowledge base of scenes, and these items."""
    known, items = _knowledge_base()
    return embed_pictures(exam.pixels, _clip()), known, items


@lru_cache(maxsize=1)
def _clip() -> Clip:
    return load_clip(device="cpu")


@lru_cache(maxsize=1)
def _knowledge_base() -> tuple[Embeddings, Pixels]:
    items = draw_scenes("train-seen", np.arange(ITEMS)).pixels
    return embed_pictures(items, _clip()), items


def _by_quality(kind: str, picture: Pixels, budget_bytes: int) -> tuple[Pixels, int] | None:
    form, free = FORMATS[kind], kind == "hevc"
    file = form.best_within(picture, budget_bytes, free_header=free)
    if file is None:
        return None
    decoded = form.decode(file)
    return None if decoded is None else (decoded, len(file) - (form.header_bytes(file) if free else 0))


def _jpeg2000(picture: Pixels, budget_bytes: int) -> tuple[Pixels, int] | None:
    """A bare codestream of JPEG 2000 of a wanted size; None if it comes out larger."""
    file = io.BytesIO()
    ratio = picture.nbytes / max(1, budget_bytes)
    Image.fromarray(picture).save(
        file,
        "JPEG2000",
        no_jp2=True,
        quality_mode="rates",
        quality_layers=[ratio],
        num_resolutions=3,
        irreversible=True,
    )
    if len(file.getvalue()) > budget_bytes:
        return None
    with Image.open(file) as coded:
        return np.asarray(coded.convert("RGB")), len(file.getvalue())


def _gathered(found: "list[tuple[Pixels, int] | None]") -> Shown:
    """Grey where there is no file."""
    grey = np.full((SIDE, SIDE, 3), GREY, np.uint8)
    bits = [each[1] for each in found if each is not None]
    pixels = np.stack([grey if each is None else each[0] for each in found])
    return Shown(pixels, float(np.mean(bits)) if bits else 0.0, len(bits) / len(found))


def _box(blocks: Bools) -> tuple[slice, slice]:
    """The rectangle around blocks [4, 4], in pixels."""
    spans = [np.flatnonzero(blocks.any(axis)) for axis in (1, 0)]
    first, second = (slice(BLOCK * int(each[0]), BLOCK * int(each[-1] + 1)) for each in spans)
    return first, second


def _resized(picture: Pixels, height: int, width: int | None = None) -> Pixels:
    size = (height if width is None else width, height)
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))
