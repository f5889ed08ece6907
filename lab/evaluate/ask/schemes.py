"""What sends a picture for a question, off line: error-free bits, or a codec over a channel."""

from collections.abc import Callable, Iterator, Mapping
from hashlib import blake2b
from typing import Final

import numpy as np

from lab.simulate.chain import Chain
from lab.simulate.repeats import Repeated, carry_repeated
from shared.codecs.answerers import Answerer
from shared.codecs.base.picture import Asked
from shared.codecs.query.klt import BlockSource
from shared.codecs.query.mask import CHOSEN
from shared.codecs.query.source import Source, SourceCodec, rows_of
from shared.codecs.query.tokens import PLACES, layout_of
from shared.codecs.query.transform import BLOCKS, BlockCode
from shared.codecs.query.uo_isc import TokenSource
from shared.types import Bits, Bools, Floats, Pixels

Scheme = Callable[[Asked, int], Pixels]
"""Pictures with questions, and bits for each, to rebuilt pictures [B, 64, 64, 3]."""

CHUNK: Final = 256


def error_free(
    code: BlockCode,
    judge: Answerer,
    token_source: TokenSource | None = None,
    ablations: Mapping[str, TokenSource] | None = None,
) -> dict[str, Scheme]:
    """The codes with and without the question, and with blocks or cells at random, as controls."""
    aware, agnostic = BlockSource(code, judge), BlockSource(code, None)
    schemes: dict[str, Scheme] = {
        "klt-relevance": lambda asked, bits: aware.decode(aware.encode(asked, bits)),
        "klt": lambda asked, bits: agnostic.decode(agnostic.encode(asked, bits)),
        "klt-random": lambda asked, bits: aware.decode(
            aware.encode_blocks(asked.pixels, at_random(len(asked.pixels), BLOCKS, CHOSEN), bits)
        ),
    }
    if token_source is None:
        return schemes

    def at_random_cells(asked: Asked, bits: int) -> Pixels:
        layout = layout_of(bits)
        chosen = at_random(len(asked.pixels), PLACES, layout.tokens)
        return token_source.decode(token_source.encode_cells(asked, chosen, bits, layout))

    learned = {"uo-isc": token_source, **(ablations or {})}
    return schemes | {name: _sent_by(source) for name, source in learned.items()} | {"uo-isc-random": at_random_cells}


def _sent_by(source: TokenSource) -> Scheme:
    return lambda asked, bits: source.decode(source.encode(asked, bits))


def over(
    codec: SourceCodec, chain: Chain, design_snr_db: float, asked: Asked, retransmissions: int = 0
) -> tuple[Pixels, float]:
    """The codec over a channel: rebuilt pictures, grey where a block was lost, and the mean number of transmissions."""
    receiver = codec.with_mode(codec.mode(design_snr_db))
    parts: list[Repeated] = []
    draws = np.split(np.arange(len(asked.words)), range(CHUNK, len(asked.words), CHUNK))  # no picture has another's
    for part, counters in zip(_parts(asked), draws, strict=True):
        x = codec.encode(part, np.full(len(part.pixels), design_snr_db, np.float32))
        parts.append(carry_repeated(chain, receiver, x, counters, retransmissions, stride=len(asked.words)))
    sent = np.concatenate([part.transmissions for part in parts])
    return np.concatenate([part.pixels for part in parts]), float(sent.mean())


def in_parts(scheme: Callable[[Asked], Pixels], asked: Asked) -> Pixels:
    """Apply a scheme to `CHUNK` questions at a time."""
    return np.concatenate([scheme(part) for part in _parts(asked)])


def _parts(asked: Asked) -> Iterator[Asked]:
    for start in range(0, len(asked.words), CHUNK):
        yield rows_of(asked, slice(start, start + CHUNK))


class Remembered:
    """A source that computes nothing twice; over channels the same pictures are sent at each SNR."""

    def __init__(self, source: Source) -> None:
        self._source, self.fingerprint = source, source.fingerprint
        self._bits: dict[bytes, Bits] = {}
        self._pixels: dict[bytes, Pixels] = {}

    def encode(self, asked: Asked, bits: int) -> Bits:
        """See `Source`."""
        key = blake2b(asked.pixels.tobytes() + asked.words.tobytes() + bytes(str(bits), "ascii")).digest()
        if key not in self._bits:
            self._bits[key] = self._source.encode(asked, bits)
        return self._bits[key]

    def cells(self, relevance: Floats, bits: int) -> Bools:
        """See `Source`."""
        return self._source.cells(relevance, bits)

    def decode(self, bits: Bits) -> Pixels:
        """See `Source`."""
        keys = [row.tobytes() for row in bits]
        new = [row for row, key in enumerate(keys) if key not in self._pixels]
        if new:
            self._pixels |= {keys[row]: each for row, each in zip(new, self._source.decode(bits[new]), strict=True)}
        return np.stack([self._pixels[key] for key in keys])


def at_random(count: int, places: int, chosen: int) -> Bools:
    """Some places of each picture at random: [count, places]."""
    order = np.random.default_rng(0).random((count, places)).argsort(1)
    return order < chosen
