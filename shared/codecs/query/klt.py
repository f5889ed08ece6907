"""`klt-relevance`: the blocks that a question needs, over 5G LDPC and QAM; `klt`: the same code without a question.

    pixels, question --judge--> relevance --> 4 blocks --11 bits--.
    pixels --KLT, quantizers, bits by block-----------------------> bits --CRC, LDPC, QAM--> x [k/2]
    x_hat [k/2] --soft demapping, LDPC, CRC--> bits --> pixels, or grey

Which MCS carries the burst, and so how many bits the picture has, follows from the design SNR; the header names it.
"""

from functools import lru_cache
from typing import ClassVar, Final, Self

import numpy as np

from shared.codecs.answerers import Answerer
from shared.codecs.base.contract import DesignFading, fingerprint_of
from shared.codecs.base.picture import ASKED_SIDE, GREY, Asked, DecodedPictures
from shared.codecs.base.weight_files import weights_path
from shared.codecs.digital.modem import Mode, Modem, modem_of, require_sionna
from shared.codecs.picture.ldpc import CRC_BITS, LOST, received, with_crc
from shared.codecs.picture.link_adaptation import MCS, Adaptation, Mcs
from shared.codecs.query import mask
from shared.codecs.query.source import LEVELS, Source, SourceCodec
from shared.codecs.query.transform import GRID, BlockCode
from shared.types import Bits, Bools, Complex, Floats, Pixels

WEIGHTS: Final = "klt-relevance"
MARGIN_DB: Final = 1.0
"""The thresholds of the table are for a known gain; with 8 pilots a burst needs this much more to lose below 1 %."""


class BlockSource:
    """Pictures to bits and back. judge: says what a question needs; None for a code without a question."""

    def __init__(self, code: BlockCode, judge: Answerer | None) -> None:
        self._code, self._judge = code, judge
        judges = [judge.fingerprint.encode()] if judge else []
        self.fingerprint = fingerprint_of([code.fingerprint.encode(), *judges])

    def encode(self, asked: Asked, bits: int) -> Bits:
        """Pictures in `bits` bits each: [B, bits]."""
        if self._judge is None:
            return self._code.encode(asked.pixels, mask.even_budgets(bits, len(asked.pixels)))
        relevance = asked.relevance
        if relevance is None:
            relevance = self._judge.look(asked.pixels, asked.words).relevance
        return self.encode_blocks(asked.pixels, mask.most_relevant(relevance), bits)

    def cells(self, relevance: Floats, bits: int) -> Bools:  # noqa: ARG002 - always four blocks
        """See `Source`: the chosen blocks, of 2 x 2 cells each; all cells without a question."""
        if self._judge is None:
            return np.ones(relevance.shape, np.bool_)
        side = relevance.shape[1] // GRID
        return mask.most_relevant(relevance).reshape(-1, GRID, GRID).repeat(side, 1).repeat(side, 2)

    def encode_blocks(self, pixels: Pixels, chosen: Bools, bits: int) -> Bits:
        """The same, with the blocks that get the bits: [B, 16], four in each picture."""
        budgets = mask.budgets_for(bits - mask.POSITION_BITS, chosen, self._code.most_bits)
        return np.concatenate([mask.to_positions(chosen), self._code.encode(pixels, budgets)], axis=1)

    def decode(self, bits: Bits) -> Pixels:
        """The reverse of `encode`: pictures [B, 64, 64, 3], uint8."""
        if self._judge is None:
            return self._code.decode(bits, mask.even_budgets(bits.shape[1], len(bits)))
        chosen = mask.from_positions(bits[:, : mask.POSITION_BITS])
        budgets = mask.budgets_for(bits.shape[1] - mask.POSITION_BITS, chosen, self._code.most_bits)
        return self._code.decode(bits[:, mask.POSITION_BITS :], budgets)


class BlockLdpc(SourceCodec):
    """A source of one kind over LDPC and QAM, and one length of bursts."""

    default_k: ClassVar[int] = 512
    quick: ClassVar[bool] = False  # Sionna takes seconds to import

    def __init__(self, k: int, source: Source, adaptation: Adaptation) -> None:
        self._adaptation = adaptation
        self._levels = {number: level_of(mcs, k // 2) for number, mcs in enumerate(MCS)}
        super().__init__(k, source, [number for number, level in self._levels.items() if level])
        parts = (self.name, repr((k, CRC_BITS, LEVELS)), source.fingerprint)
        self.fingerprint = fingerprint_of([part.encode() for part in parts])

    @classmethod
    def load(cls, k: int, device: str) -> Self:
        """Load the shipped parameters. Raises NotFound if they or a library are missing."""
        require_sionna(cls.name)
        return cls(k, cls.source_on(device), _adaptation())

    def modulate(self, bits: Bits, mode: int) -> Complex:
        """See `SourceCodec`."""
        return self._modem(mode).modulate(with_crc(bits))

    def decode(self, x_hat: Complex, n0_eff: Floats) -> DecodedPictures:
        """See `QueryCodec`. A picture whose checksum is wrong is grey."""
        bits, right = self.received(x_hat, n0_eff)
        pixels = np.full((len(bits), ASKED_SIDE, ASKED_SIDE, 3), GREY, np.uint8)
        if right.any():
            pixels[right] = self._source.decode(bits[right])
        return DecodedPictures(pixels, ["" if arrived else LOST for arrived in right])

    def received(self, x_hat: Complex, n0_eff: Floats) -> tuple[Bits, Bools]:
        """Bits of pictures [B, `payload_bits`], and whether the checksum of each is right: [B]."""
        return received(self._modem(self.received_mode), x_hat, n0_eff)

    def choose(self, snr_db: float, fading: DesignFading) -> int:
        """See `ModeSelector.choose`: the position in `MCS` with the most robust code of the bits that can be sent."""
        best = self._adaptation.choose(
            snr_db - MARGIN_DB, "none" if fading == "none" else "block", self._worth, self._transmissions
        )
        number = MCS.index(best) if MCS.index(best) in self._possible else self._possible[0]
        level = max(min(self._levels[number], self._wanted or self._levels[number]), self._least)
        fitting = [each for each in self._possible if self._levels[each] >= level]
        return min(fitting) if fitting else max(self._possible, key=self._levels.__getitem__)

    def payload_bits(self, mode: int) -> int:
        """See `QueryCodec`."""
        return self._levels[mode]

    @classmethod
    def length_for(cls, bits: int, snr_db: float, fading: DesignFading) -> int:
        """See `QueryCodec`."""
        adaptation = _adaptation()

        def carried(k: int) -> int:
            best = adaptation.choose(
                snr_db - MARGIN_DB,
                "none" if fading == "none" else "block",
                lambda mcs: float(min(level_of(mcs, k // 2), bits)),
            )
            return level_of(best, k // 2)

        return next((k for k in cls.lengths if carried(k) >= bits), cls.lengths[-1])

    @staticmethod
    def order(mode: int) -> int:
        """Coded bits of a symbol in a mode."""
        return MCS[mode].order

    def _modem(self, number: int) -> Modem:
        return modem_of(Mode(self._levels[number] + CRC_BITS, self.order(number)), self.symbols)

    def _worth(self, mcs: Mcs) -> float:
        """Answers get better with the logarithm of the bits, by about the same from level to level."""
        level = level_of(mcs, self.symbols)
        wanted = min(level, self._wanted) if self._wanted else level
        return float(np.log2(wanted / LEVELS[0]) + 1) if level and level >= self._least else 0.0


class KltRelevance(BlockLdpc):
    """The blocks that the question needs get the bits."""

    name: ClassVar[str] = "klt-relevance"

    @classmethod
    def source_on(cls, device: str) -> Source:
        """See `SourceCodec`."""
        return BlockSource(block_code(), judge_on(device))


class Klt(BlockLdpc):
    """All blocks get the same bits, whatever is asked: what a question is worth is the difference to this codec."""

    name: ClassVar[str] = "klt"

    @classmethod
    def source_on(cls, device: str) -> Source:  # noqa: ARG003 - no network
        """See `SourceCodec`."""
        return BlockSource(block_code(), None)


@lru_cache(maxsize=1 << 12)
def level_of(mcs: Mcs, symbols: int) -> int:
    """The most bits of a picture, of `LEVELS`, that fit a burst; 0 if not even the fewest do."""
    capacity = mcs.mode(symbols).bits - CRC_BITS
    fitting = [level for level in LEVELS if level <= capacity and Mode(level + CRC_BITS, mcs.order).fits(symbols)]
    return fitting[-1] if fitting else 0


@lru_cache(maxsize=1)
def block_code() -> BlockCode:
    """The shipped block code. Raises NotFound without it."""
    return BlockCode.from_file(weights_path(WEIGHTS, "model.safetensors"))


@lru_cache(maxsize=1)
def _adaptation() -> Adaptation:
    return Adaptation.load()


@lru_cache(maxsize=2)
def judge_on(device: str) -> Answerer:
    """The shipped judge. Raises NotFound without its weights."""
    return Answerer.load("judge", device)
