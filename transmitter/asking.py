"""Pictures with questions: what of a picture a question needs is found here, and only that is sent.

file --decode, resize--> pixels [64, 64, 3] --.
question --read--> words ------------------judge--> answer on the original, relevance --codec--> symbols
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from hashlib import blake2b
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from shared.codecs import FollowingCodec, QueryCodec
from shared.codecs.base.picture import ASKED_SIDE, fit_picture
from shared.codecs.base.picture import Asked as Pictures
from shared.codecs.query.mask import most_relevant
from shared.datasets.decoding import decode_picture, decode_png
from shared.errors import InvalidInput, SemLinkError
from shared.frame.question import Asked, Rebuilt
from shared.types import Bools, Complex, Floats, Ints, Pixels

if TYPE_CHECKING:
    from shared.codecs.answerers import Answerer

_PEAK = 255.0


class Followed(NamedTuple):
    """The picture that a further question is about.

    name: of the session. digest: of its pixels. held: what the receiver holds of it. codec_for: the codec for so many
    further bits
    """

    name: str
    digest: bytes
    held: Any
    codec_for: Callable[[int], FollowingCodec]


class ToAsk(NamedTuple):
    """One picture file with its question in words [9], and its codec at its operating point."""

    image: bytes
    words: Ints
    codec: QueryCodec
    snr_db: float
    followed: Followed | None = None


class Original(NamedTuple):
    """What the transmitter knows of a picture that it sent for a question.

    pixels: [64, 64, 3]. digest: of them. answer: on them. region: [64, 64], the blocks that the question needs.
    relevance: [8, 8]
    """

    pixels: Pixels
    digest: bytes
    answer: str
    region: Bools
    relevance: Floats


class AskedEncoding(NamedTuple):
    """A picture, encoded for its question.

    codec: that encoded it. symbols: [k/2], complex64, unit power. held: what the receiver holds when they have arrived,
    and before: when they are lost; None from a codec that does not follow. sent: cells of a further question, [64];
    None for a first one. source_values: 3 H W of its file
    """

    original: Original
    codec: QueryCodec
    symbols: Complex
    held: Any
    before: Any
    sent: Bools | None
    source_values: int
    prepare_seconds: float
    look_seconds: float
    compress_seconds: float


_Compressed = tuple[QueryCodec, Complex, Any, Any, Bools | None]


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
        digest = blake2b(pixels.tobytes(), digest_size=16).digest()
        if item.followed is not None and digest != item.followed.digest:
            return InvalidInput(
                f"session {item.followed.name} is about another picture: send that one, or follow nothing"
            )
        prepared = perf_counter()
        look = self.judge.look(pixels, item.words[None])
        looked = perf_counter()
        asked = Pictures(pixels, item.words[None], look.relevance, look.seen)
        codec, symbols, held, before, sent = _compressed(item, asked)
        region = most_relevant(look.relevance).reshape(4, 4).repeat(ASKED_SIDE // 4, 0).repeat(ASKED_SIDE // 4, 1)
        return AskedEncoding(
            Original(pixels[0], digest, look.answers.texts()[0], region, look.relevance[0]),
            codec,
            symbols,
            held,
            before,
            sent,
            3 * picture.source_height * picture.source_width,
            prepared - start,
            looked - prepared,
            perf_counter() - looked,
        )


def _compressed(item: ToAsk, asked: Pictures) -> _Compressed:
    """The codec, its symbols, what the receiver holds if they arrive and if they are lost, and further cells."""
    if item.followed is not None:
        assert isinstance(item.codec, FollowingCodec)
        held, needed = item.followed.held, item.codec.needed(asked, item.followed.held)
        further = item.followed.codec_for(needed.bits)
        return further, *further.go_on(needed, held, item.snr_db), held, needed.new
    if isinstance(item.codec, FollowingCodec):
        return item.codec, *item.codec.begin(asked, item.snr_db), item.codec.nothing(item.snr_db), None
    return item.codec, item.codec.encode(asked, np.array([item.snr_db], np.float32))[0], None, None, None


def outcome(question: str, encoding: AskedEncoding, rebuilt: Rebuilt, mode: int) -> Asked:
    """Compare what the receiver rebuilt and answered with the original. mode: of the burst that carried it."""
    from shared.codecs.answerers.matching import match  # noqa: PLC0415 - loads torch

    original, codec = encoding.original, encoding.codec
    squared = np.square(decode_png(rebuilt.picture).astype(np.float64) - original.pixels).mean(2)
    sent = codec.sent_cells(original.relevance[None], mode) if encoding.sent is None else encoding.sent
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
        sent_cells=tuple(sent.ravel().tolist()),
        question_lost=rebuilt.question_lost,
    )


def _psnr_db(error: float) -> float:
    return float(10 * np.log10(_PEAK**2 / max(error, 1e-2)))
