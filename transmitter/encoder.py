"""Pictures to symbols. Several threads prepare files; one encodes, many at a time: CLIP where needed, then each codec.

file --decode, resize--> pixels --CLIP--> embeddings --codec--> symbols
                         pixels ----codec of pictures---------> symbols
"""

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final, NamedTuple

import numpy as np

from shared.clip import Clip
from shared.codecs import AnyCodec, Codec, PictureCodec, QueryCodec
from shared.codecs.base.picture import ASKED_SIDE, GREY, SIDE, Asked, fit_picture
from shared.datasets.decoding import decode_picture
from shared.datasets.scenes.words import LONGEST
from shared.errors import InvalidInput, InvalidSetting, Mismatch, SemLinkError
from shared.frame.delivery import ReadyEmbedding
from shared.types import Complex, Floats, Pixels
from transmitter.asking import AskedEncoding

_SMALL_BYTES: Final = 8192


class ToPrepare(NamedTuple):
    """One picture file. as_picture: as codecs of pictures take it, not as CLIP does."""

    image: bytes
    as_picture: bool = False


def kind_of_file(file: ToPrepare) -> bytes | None:
    """The kind of a file that is decoded in no time; None where that is not sure.

    A PNG or JPEG of so few bytes holds at most some million pixels; of other kinds it can hold any number.
    """
    kind = file.image[:2]
    return kind if len(file.image) <= _SMALL_BYTES and kind in (b"\x89P", b"\xff\xd8") else None


@dataclass(frozen=True, slots=True)
class Prepared:
    """One picture, or an embedding that took its place.

    pixels: [S, S, 3] or [32, 32, 3], uint8, or [D], float32. source_values: 3 x height x width of the file's picture;
    NaN for an embedding of no known one.
    """

    pixels: Pixels | Floats
    source_values: float
    seconds: float


class Preparer:
    """Decodes and resizes. max_bytes, max_pixels: larger pictures are refused."""

    def __init__(self, clip: Clip, max_bytes: int, max_pixels: int) -> None:
        self._clip = clip
        self._max_bytes = max_bytes
        self._max_pixels = max_pixels

    def prepare(self, files: Sequence[ToPrepare]) -> list[Prepared | Exception]:
        """Prepare files; one that is no picture gets an error of its own."""
        return [self._prepare(file) for file in files]

    def _prepare(self, file: ToPrepare) -> Prepared | Exception:
        start = perf_counter()
        size = SIDE if file.as_picture else self._clip.image_size
        try:
            picture = decode_picture(file.image, self._max_bytes, self._max_pixels, target_size=size)
            pixels = fit_picture(picture.image) if file.as_picture else self._clip.preprocess(picture.image)
        except SemLinkError as error:
            return error
        return Prepared(pixels, 3 * picture.source_height * picture.source_width, perf_counter() - start)


def checked_embedding(given: ReadyEmbedding, codec: AnyCodec, clip: Clip) -> Floats:
    """A ready embedding of unit length: [D], float32.

    Raises Mismatch where another CLIP made it, InvalidSetting for a codec of pictures, InvalidInput for values that
    have no direction.
    """
    if isinstance(codec, PictureCodec):
        raise InvalidSetting(
            f"codec {codec.name} sends pictures, and an embedding came: choose another, such as nested"
        )
    if given.clip_fingerprint != clip.fingerprint:
        raise Mismatch(
            f"the embedding was made by CLIP {given.clip_fingerprint or 'without a fingerprint'}, this transmitter has "
            f"{clip.name} {clip.fingerprint}: send embeddings of this CLIP, or start the link with the other one"
        )
    if given.values.shape != (clip.dim,):
        raise InvalidInput(f"the embedding has {given.values.size} values; {clip.name} gives {clip.dim}")
    with np.errstate(invalid="ignore"):  # of a NaN, which is refused below
        length = float(np.linalg.norm(given.values.astype(np.float64)))
    if not 0 < length < np.inf:
        raise InvalidInput("the embedding is zero or not finite, so it has no direction: look at how it was made")
    return (given.values / length).astype(np.float32)


class ToEncode(NamedTuple):
    """One picture to encode.

    pixels: as its codec takes them, see `Prepared`; or a ready embedding [D], float32, of unit length. snr_db:
    operating point, NaN for none.
    """

    pixels: Pixels | Floats
    codec: AnyCodec
    snr_db: float


@dataclass(frozen=True, slots=True)
class Encoded:
    """Payload of one picture. symbols: [k/2], complex64, unit power. Seconds are those of its whole batch.

    encode_seconds: of CLIP, or of the judge for a question; 0 for a codec of pictures or a ready embedding.
    asked: of a picture that was encoded for a question.
    """

    symbols: Complex
    encode_seconds: float
    compress_seconds: float
    asked: AskedEncoding | None = None


class Encoder:
    """CLIP and the codecs. A codec is used by one thread, CLIP by two: it takes them in turn."""

    def __init__(self, clip: Clip) -> None:
        self._clip = clip

    def encode(self, items: Sequence[ToEncode]) -> list[Encoded]:
        """Encode pictures, each with its codec at its operating point."""
        start = perf_counter()
        embeddings = self._embedded(items)
        snr_db = np.array([item.snr_db for item in items], np.float32)
        encode_seconds = perf_counter() - start
        encoded: dict[int, Encoded] = {}
        for codec, rows in _rows_by_codec(items):
            given = np.stack([embeddings.get(row, items[row].pixels) for row in rows])
            start = perf_counter()
            assert not isinstance(codec, QueryCodec), "the asker encodes for questions"
            symbols = codec.encode(given, snr_db[rows])
            compress_seconds = perf_counter() - start
            for row, payload in zip(rows, symbols, strict=True):
                encoded[row] = Encoded(payload, encode_seconds if row in embeddings else 0.0, compress_seconds)
        return [encoded[row] for row in range(len(items))]

    def encode_once(self, codec: AnyCodec) -> None:
        """Encode something, so that the first picture finds imported and built what the codec needs."""
        if isinstance(codec, QueryCodec):
            codec.encode(
                Asked(np.full((1, ASKED_SIDE, ASKED_SIDE, 3), GREY, np.uint8), np.zeros((1, LONGEST), np.int64))
            )
        elif isinstance(codec, PictureCodec):
            codec.encode(np.full((1, SIDE, SIDE, 3), GREY, np.uint8))
        else:
            codec.encode(np.full((1, self._clip.dim), self._clip.dim**-0.5, np.float32))

    def _embedded(self, items: Sequence[ToEncode]) -> dict[int, Any]:
        """Embeddings [512] of the pictures whose codec takes them, by row."""
        rows = [row for row, item in enumerate(items) if isinstance(item.codec, Codec) and item.pixels.ndim > 1]
        if not rows:
            return {}
        return dict(zip(rows, self._clip.embed_images(np.stack([items[row].pixels for row in rows])), strict=True))


def _rows_by_codec(items: Sequence[ToEncode]) -> list[tuple[AnyCodec, list[int]]]:
    rows: dict[tuple[str, int], tuple[AnyCodec, list[int]]] = {}
    for row, item in enumerate(items):
        rows.setdefault((item.codec.name, item.codec.k), (item.codec, []))[1].append(row)
    return list(rows.values())
