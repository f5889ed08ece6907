"""What makes bits of pictures, and codecs of questions that send them."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Final, Protocol, Self

from shared.codecs.base.contract import DesignSnr, ModeSelector
from shared.codecs.base.picture import Asked, DecodedPictures, QueryCodec, check_asked
from shared.phy.receive.equalizer import EqualizerName
from shared.types import Bits, Bools, Complex, Floats, Ints, Pixels

LEVELS: Final = (64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, 6144, 8192)
"""Bits of a picture, all positions included. An MCS that could carry more than one level sends it at a lower rate."""


class Source(Protocol):
    """Pictures to bits and back."""

    fingerprint: str

    def encode(self, asked: Asked, bits: int) -> Bits:
        """Pictures in `bits` bits each: [B, bits]."""

    def cells(self, relevance: Floats, bits: int) -> Bools:
        """The cells that get the bits, see `QueryCodec.sent_cells`: [B, 8, 8]."""

    def decode(self, bits: Bits) -> Pixels:
        """The reverse of `encode`: pictures [B, 64, 64, 3], uint8."""


class SourceCodec(ModeSelector[Asked, DecodedPictures], QueryCodec):
    """A source of one kind, and one length of bursts; the mode says how many bits of a picture are sent."""

    lengths: ClassVar[tuple[int, ...]] = (64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096)
    equalizer: ClassVar[EqualizerName | None] = "zf"  # demapping expects unbiased symbols
    _wanted: int = 0
    _least: int = 0
    _transmissions: int = 1

    def __init__(self, k: int, source: Source, possible: Sequence[int]) -> None:
        """possible: modes that a burst of this length may have."""
        self.k, self._source, self._possible = k, source, possible

    @classmethod
    @abstractmethod
    def source_on(cls, device: str) -> Source:
        """What makes bits of pictures, loaded once. Raises NotFound without its parameters."""

    @abstractmethod
    def modulate(self, bits: Bits, mode: int) -> Complex:
        """Symbols [B, k/2] of the bits of pictures: [B, `payload_bits(mode)`]."""

    def encode(self, asked: Asked, snr_db: DesignSnr | None = None) -> Complex:
        """See `QueryCodec`."""
        check_asked(self.name, asked)

        def modulate(rows: Bools, number: int) -> Complex:
            return self.modulate(self._source.encode(rows_of(asked, rows), self.payload_bits(number)), number)

        return self.send(snr_db, len(asked.pixels), modulate)

    def sent_cells(self, relevance: Floats, mode: int) -> Bools:
        """See `QueryCodec`."""
        return self._source.cells(relevance, self.payload_bits(mode))

    @property
    def mode_numbers(self) -> Sequence[int]:
        """See `ModeSelector.mode_numbers`: those that carry the fewest bits or more."""
        return self._possible

    def with_bits(self, bits: int, transmissions: int = 1) -> Self:
        """See `QueryCodec`."""
        return self._with(_wanted=bits, _transmissions=transmissions)


def rows_of(asked: Asked, rows: Bools | Ints | slice) -> Asked:
    """Some of the pictures, with their questions."""
    relevance = None if asked.relevance is None else asked.relevance[rows]
    return Asked(asked.pixels[rows], asked.words[rows], relevance)
