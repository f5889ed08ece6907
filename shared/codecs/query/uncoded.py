"""`klt-relevance-8psk`, `uo-isc-8psk`: the same bits without any code, as the authors of arXiv 2509.08913 send them.

    bits --three a symbol, Gray--> 8-PSK --> x [k/2]          x_hat [k/2] --nearest phase--> bits --> pixels

Hard decisions, no checksum: a wrong bit makes a wrong picture, and nothing is ever missing. The mode names how many of
`LEVELS` bits there are.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Final, Self

import numpy as np

from shared.codecs.base.contract import DesignFading, DesignSnr, ModeSelector, fingerprint_of
from shared.codecs.base.picture import Asked, DecodedPictures, QueryCodec, check_asked
from shared.codecs.query.klt import LEVELS, BlockLdpc, KltRelevance, Source, rows_of
from shared.codecs.query.numbers import from_bits, to_bits
from shared.codecs.query.uo_isc import UoIsc
from shared.phy.receive.equalizer import EqualizerName
from shared.types import Bits, Bools, Complex, Floats

BITS_A_SYMBOL: Final = 3
_GRAY: Final = np.array([0, 1, 3, 2, 6, 7, 5, 4])
"""Bits of each phase, in turn: neighbours differ in one."""


class UncodedPsk(ModeSelector[Asked, DecodedPictures], QueryCodec):
    """A source of one kind, and one length of bursts."""

    lengths: ClassVar[tuple[int, ...]] = BlockLdpc.lengths
    default_k: ClassVar[int] = 256
    equalizer: ClassVar[EqualizerName | None] = "zf"
    _wanted: int = LEVELS[-1]

    def __init__(self, k: int, source: Source) -> None:
        self.k, self._source = k, source
        self._possible = [number for number, bits in enumerate(LEVELS) if bits <= BITS_A_SYMBOL * (k // 2)]
        self.fingerprint = fingerprint_of([repr((self.name, k, LEVELS)).encode(), source.fingerprint.encode()])

    @classmethod
    def load(cls, k: int, device: str) -> Self:
        """Load the shipped parameters. Raises NotFound if they are missing."""
        return cls(k, cls.source_on(device))

    @classmethod
    @abstractmethod
    def source_on(cls, device: str) -> Source:
        """See `BlockLdpc.source_on`."""

    def encode(self, asked: Asked, snr_db: DesignSnr | None = None) -> Complex:
        """See `QueryCodec`."""
        check_asked(self.name, asked)

        def modulate(rows: Bools, number: int) -> Complex:
            bits = self._source.encode(rows_of(asked, rows), LEVELS[number])
            return to_psk(np.pad(bits, ((0, 0), (0, BITS_A_SYMBOL * self.symbols - bits.shape[1]))))

        return self.send(snr_db, len(asked.pixels), modulate)

    def decode(self, x_hat: Complex, n0_eff: Floats) -> DecodedPictures:  # noqa: ARG002 - hard decisions
        """See `QueryCodec`."""
        bits = from_psk(x_hat)[:, : LEVELS[self.received_mode]]
        return DecodedPictures(self._source.decode(bits), [""] * len(bits))

    def choose(self, snr_db: float, fading: DesignFading) -> int:  # noqa: ARG002 - nothing adapts
        """See `ModeSelector.choose`: the most bits that are wanted and fit."""
        return max((each for each in self._possible if LEVELS[each] <= self._wanted), default=self._possible[0])

    @property
    def mode_numbers(self) -> Sequence[int]:
        """See `ModeSelector.mode_numbers`."""
        return self._possible

    def payload_bits(self, mode: int) -> int:
        """See `QueryCodec`."""
        return LEVELS[mode]

    def with_bits(self, bits: int) -> Self:
        """See `QueryCodec`."""
        return self._with(_wanted=bits)

    @classmethod
    def length_for(cls, bits: int, snr_db: float, fading: DesignFading) -> int:  # noqa: ARG003 - nothing adapts
        """See `QueryCodec`."""
        return next((k for k in cls.lengths if BITS_A_SYMBOL * (k // 2) >= bits), cls.lengths[-1])


class KltRelevance8Psk(UncodedPsk):
    """`klt-relevance` without a code."""

    name: ClassVar[str] = "klt-relevance-8psk"

    @classmethod
    def source_on(cls, device: str) -> Source:
        """See `UncodedPsk`."""
        return KltRelevance.source_on(device)


class UoIsc8Psk(UncodedPsk):
    """`uo-isc` without a code."""

    name: ClassVar[str] = "uo-isc-8psk"

    @classmethod
    def source_on(cls, device: str) -> Source:
        """See `UncodedPsk`."""
        return UoIsc.source_on(device)


def to_psk(bits: Bits) -> Complex:
    """Symbols [B, n], complex64, of unit power of bits [B, 3 n]."""
    labels = from_bits(bits, BITS_A_SYMBOL)
    symbols: Complex = np.exp(0.25j * np.pi * np.argsort(_GRAY)[labels]).astype(np.complex64)
    return symbols


def from_psk(x_hat: Complex) -> Bits:
    """Bits [B, 3 n] of the nearest phases of symbols [B, n]."""
    labels = _GRAY[np.round(np.angle(x_hat) / (0.25 * np.pi)).astype(np.int64) % 8]
    return to_bits(labels, BITS_A_SYMBOL)
