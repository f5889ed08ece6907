"""Pictures with questions: what of a picture a question needs is found here, and only that is sent.

file --decode, resize--> pixels [64, 64, 3] --.
question --read--> words ------------------judge--> answer on the original, relevance --codec--> symbols
"""

from collections.abc import Sequence
from functools import cached_property
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from shared.codecs import QueryCodec
from shared.codecs.base.picture import ASKED_SIDE, fit_picture
from shared.codecs.base.picture import Asked as Pictures
from shared.codecs.query.mask import most_relevant
from shared.datasets.decoding import decode_picture, decode_png
from shared.errors import SemLinkError
from shared.frame.question import Asked, Rebuilt
from shared.types import Bools, Complex, Floats, Ints, Pixels

if TYPE_CHECKING:
    from shared.codecs.answerers import Answerer

_PEAK = 255.0


class ToAsk(NamedTuple):
    """One picture file with its question in words [9], and its codec at its operating point."""

    image: bytes
    words: Ints
    codec: QueryCodec
    snr_db: float


class Original(NamedTuple):
    """What the transmitter knows of a picture that it sent for a question.

    pixels: [64, 64, 3]. answer: on them. region: [64, 64], the blocks that the question needs. relevance: [8, 8]
    """

    pixels: Pixels
    answer: str
    region: Bools
    relevance: Floats


class AskedEncoding(NamedTuple):
    """A picture, encoded for its question. symbols: [k/2], complex64, unit power. source_values: 3 H W of its file."""

    original: Original
    symbols: Complex
    source_values: int
    prepare_seconds: float
    look_seconds: float
    compress_seconds: float


class Asker:
    """Encodes pictures for questions; its judge is loaded with the first. max_bytes, max_pixels: of a file."""

    def __init__(self, device: str, max_bytes: int, max_pixels: int) -> None:
        self._device, self._max_bytes, self._max_pixels = device, max_bytes, max_pixels

    @cached_property
    def judge(self) -> "Answerer":
        """The answerer that says what a question needs. Raises NotFound without its weights."""
        from shared.codecs.answerers import Answerer  # noqa: PLC0415 - loads torch

        return Answerer.load("judge", self._device)

    def encode(self, items: Sequence[ToAsk]) -> list[AskedEncoding | Exception]:
        """Encode pictures, each for its question; a file that is no picture gets an error of its own."""
        return [self._encode(item) for item in items]

    def _encode(self, item: ToAsk) -> AskedEncoding | Exception:
        start = perf_counter()
        try:
            picture = decode_picture(item.image, self._max_bytes, self._max_pixels, target_size=ASKED_SIDE)
        except SemLinkError as error:
            return error
        pixels = fit_picture(picture.image, ASKED_SIDE)[None]
        prepared = perf_counter()
        look = self.judge.look(pixels, item.words[None])
        looked = perf_counter()
        symbols = item.codec.encode(
            Pictures(pixels, item.words[None], look.relevance), np.array([item.snr_db], np.float32)
        )[0]
        region = most_relevant(look.relevance).reshape(4, 4).repeat(ASKED_SIDE // 4, 0).repeat(ASKED_SIDE // 4, 1)
        return AskedEncoding(
            Original(pixels[0], look.answers.texts()[0], region, look.relevance[0]),
            symbols,
            3 * picture.source_height * picture.source_width,
            prepared - start,
            looked - prepared,
            perf_counter() - looked,
        )


def outcome(question: str, original: Original, rebuilt: Rebuilt, codec: QueryCodec, mode: int) -> Asked:
    """Compare what the receiver rebuilt and answered with the original. mode: of the burst that carried it."""
    from shared.codecs.answerers.matching import match  # noqa: PLC0415 - loads torch

    squared = np.square(decode_png(rebuilt.picture).astype(np.float64) - original.pixels).mean(2)
    return Asked(
        question=question,
        answer=rebuilt.answer,
        answer_on_original=original.answer,
        match=match(question, rebuilt.answer, original.answer),
        probability=rebuilt.probability,
        bits=codec.payload_bits(mode),
        symbols=codec.symbols,
        psnr_db=_psnr_db(squared.mean()),
        psnr_db_region=_psnr_db(squared[original.region].mean()),
        picture=rebuilt.picture,
        sent_cells=tuple(codec.sent_cells(original.relevance[None], mode).ravel().tolist()),
    )


def _psnr_db(error: float) -> float:
    return float(10 * np.log10(_PEAK**2 / max(error, 1e-2)))
