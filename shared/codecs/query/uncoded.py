"""`klt-relevance-8psk`, `uo-isc-8psk`: the same bits without any code, as the authors of arXiv 2509.08913 send them.

    bits --three a symbol, Gray--> 8-PSK --> x [k/2]          x_hat [k/2] --nearest phase--> bits --> pixels

Hard decisions, no checksum: a wrong bit makes a wrong picture, and nothing is ever missing. The mode names how many of
`LEVELS` bits there are.
"""

from typing import ClassVar, Final, Self

import numpy as np

from shared.binary import from_bits, to_bits
from shared.codecs.base.contract import DesignFading, fingerprint_of
from shared.codecs.base.picture import DecodedPictures
from shared.codecs.query.klt import KltRelevance
from shared.codecs.query.source import LEVELS, Source, SourceCodec
from shared.codecs.query.uo_isc import UoIsc
from shared.types import Bits, Complex, Floats

BITS_A_SYMBOL: Final = 3
_GRAY: Final = np.array([0, 1, 3, 2, 6, 7, 5, 4])
"""Bits of each phase, in turn: neighbours differ in one."""


class UncodedPsk(SourceCodec):
    """A source of one kind over 8-PSK, and one length of bursts."""

    default_k: ClassVar[int] = 256
    _wanted: int = LEVELS[-1]

    def __init__(self, k: int, source: Source) -> None:
        super().__init__(k, source, [number for number, bits in enumerate(LEVELS) if bits <= BITS_A_SYMBOL * (k // 2)])
        self.fingerprint = fingerprint_of([repr((self.name, k, LEVELS)).encode(), source.fingerprint.encode()])

    @classmethod
    def load(cls, k: int, device: str) -> Self:
        """Load the shipped parameters. Raises NotFound if they are missing."""
        return cls(k, cls.source_on(device))

    def modulate(self, bits: Bits, mode: int) -> Complex:  # noqa: ARG002 - all modes are modulated alike
        """See `SourceCodec`."""
        return to_psk(np.pad(bits, ((0, 0), (0, BITS_A_SYMBOL * self.symbols - bits.shape[1]))))

    def decode(self, x_hat: Complex, n0_eff: Floats) -> DecodedPictures:  # noqa: ARG002 - hard decisions
        """See `QueryCodec`."""
        bits = from_psk(x_hat)[:, : LEVELS[self.received_mode]]
        return DecodedPictures(self._source.decode(bits), [""] * len(bits))

    def choose(self, snr_db: float, fading: DesignFading) -> int:  # noqa: ARG002 - nothing adapts
        """See `ModeSelector.choose`: the most bits that are wanted and fit."""
        return max((each for each in self._possible if LEVELS[each] <= self._wanted), default=self._possible[0])

    def payload_bits(self, mode: int) -> int:
        """See `QueryCodec`."""
        return LEVELS[mode]

    @classmethod
    def length_for(cls, bits: int, snr_db: float, fading: DesignFading) -> int:  # noqa: ARG003 - nothing adapts
        """See `QueryCodec`."""
        return next((k for k in cls.lengths if BITS_A_SYMBOL * (k // 2) >= bits), cls.lengths[-1])


class KltRelevance8Psk(UncodedPsk):
    """`klt-relevance` without a code."""

    name: ClassVar[str] = "klt-relevance-8psk"

    @classmethod
    def source_on(cls, device: str) -> Source:
        """See `SourceCodec`."""
        return KltRelevance.source_on(device)


class UoIsc8Psk(UncodedPsk):
    """`uo-isc` without a code."""

    name: ClassVar[str] = "uo-isc-8psk"

    @classmethod
    def source_on(cls, device: str) -> Source:
        """See `SourceCodec`."""
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
