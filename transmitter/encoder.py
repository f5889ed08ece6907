"""Pictures to symbols, many at a time: CLIP on the whole batch, then each codec on its part."""

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import NamedTuple

import numpy as np

from shared.clip import Clip
from shared.clip.model import Pixels
from shared.codecs import Codec
from shared.symbols import Complex


class ToEncode(NamedTuple):
    """One picture to encode. pixels: [S, S, 3], uint8, preprocessed. snr_db: the operating point, NaN for not known."""

    pixels: Pixels
    codec: Codec
    snr_db: float


@dataclass(frozen=True, slots=True)
class Encoded:
    """Payload of one picture. symbols: [k/2], complex64, unit power. Seconds are those of its whole batch."""

    symbols: Complex
    encode_seconds: float
    compress_seconds: float


class Encoder:
    """CLIP and the codecs. Called from one thread."""

    def __init__(self, clip: Clip) -> None:
        self._clip = clip

    def encode(self, items: Sequence[ToEncode]) -> list[Encoded | Exception]:
        """Encode pictures, each with its codec at its operating point."""
        start = perf_counter()
        embeddings = self._clip.embed_images(np.stack([item.pixels for item in items]))
        snr_db = np.array([item.snr_db for item in items], np.float32)
        encode_seconds = perf_counter() - start
        encoded: list[Encoded | Exception] = [_NOT_ENCODED] * len(items)
        for codec, rows in _rows_by_codec(items):
            start = perf_counter()
            symbols = codec.encode(embeddings[rows], snr_db[rows])
            compress_seconds = perf_counter() - start
            for row, payload in zip(rows, symbols, strict=True):
                encoded[row] = Encoded(payload, encode_seconds, compress_seconds)
        return encoded


_NOT_ENCODED = AssertionError("every row belongs to one codec")


def _rows_by_codec(items: Sequence[ToEncode]) -> list[tuple[Codec, list[int]]]:
    rows: dict[tuple[str, int], tuple[Codec, list[int]]] = {}
    for row, item in enumerate(items):
        rows.setdefault((item.codec.name, item.codec.k), (item.codec, []))[1].append(row)
    return list(rows.values())
