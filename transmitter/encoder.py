"""Pictures to symbols, many at a time: CLIP on the whole batch, then each codec on its part."""

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from shared.clip import Clip
from shared.clip.model import Pixels
from shared.codecs import Codec
from shared.symbols import Complex


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

    def encode(self, items: Sequence[tuple[Pixels, Codec]]) -> list[Encoded | Exception]:
        """Encode pictures, preprocessed to [S, S, 3] uint8, each with its codec."""
        start = perf_counter()
        embeddings = self._clip.embed_images(np.stack([pixels for pixels, _ in items]))
        encode_seconds = perf_counter() - start
        encoded: list[Encoded | Exception] = [_NOT_ENCODED] * len(items)
        for codec, rows in _rows_by_codec(items):
            start = perf_counter()
            symbols = codec.encode(embeddings[rows])
            compress_seconds = perf_counter() - start
            for row, payload in zip(rows, symbols, strict=True):
                encoded[row] = Encoded(payload, encode_seconds, compress_seconds)
        return encoded


_NOT_ENCODED = AssertionError("every row belongs to one codec")


def _rows_by_codec(items: Sequence[tuple[Pixels, Codec]]) -> list[tuple[Codec, list[int]]]:
    rows: dict[tuple[str, int], tuple[Codec, list[int]]] = {}
    for row, (_, codec) in enumerate(items):
        rows.setdefault((codec.name, codec.k), (codec, []))[1].append(row)
    return list(rows.values())
