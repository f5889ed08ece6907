"""Codecs of pictures, and of pictures with questions.

pixels [B, 32, 32, 3] --encode--> x [B, k/2] --channel, equalizer--> x_hat [B, k/2] --decode--> pixels [B, 32, 32, 3]

The receiver embeds the decoded pictures with its own CLIP and searches the knowledge base for the embeddings.
"""

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, Protocol, Self

import numpy as np
from PIL import Image, ImageOps

from shared.codecs.base.contract import BaseCodec, Codec, DesignFading
from shared.errors import InvalidPicture, InvalidSetting
from shared.types import Bools, Complex, Floats, Ints, Pixels

SIDE: Final = 32
ASKED_SIDE: Final = 64
"""Of pictures with questions."""
GREY: Final = 128
"""Grey level of a picture that did not arrive."""
FURTHER_LOST: Final = "what the question still needs was lost on the air: this is the picture as it was"
"""Of a further question about a picture of which something arrived before."""


class DecodedPictures(NamedTuple):
    """Pictures of a batch. pixels: [B, 32, 32, 3], uint8, RGB. missing: why each is grey; empty if it arrived."""

    pixels: Pixels
    missing: Sequence[str]


class PictureCodec(BaseCodec[Pixels, DecodedPictures]):
    """A codec of pictures [B, 32, 32, 3], uint8, RGB. It belongs to no CLIP model."""


class Asked(NamedTuple):
    """Pictures with a question each.

    pixels: [B, 64, 64, 3], uint8, RGB. words: [B, 9], as an answerer reads them. relevance: [B, 8, 8], float32, what
    each cell contributes to the answer; None where the codec finds that itself. seen: what the judge saw of the same
    pictures and questions, `answerers.network.Features`, so that it need not look twice; None where it has not
    """

    pixels: Pixels
    words: Ints
    relevance: Floats | None = None
    seen: Any = None


class QueryCodec(BaseCodec[Asked, DecodedPictures]):
    """A codec that sends of pictures [B, 64, 64, 3] what questions are about. It belongs to no CLIP model.

    The receiver need not know the question: what is sent says where it lies.
    """

    @abstractmethod
    def payload_bits(self, mode: int) -> int:
        """Bits of the picture in a burst of this mode, with all positions, without checksum and code."""

    @abstractmethod
    def sent_cells(self, relevance: Floats, mode: int) -> Bools:
        """The cells that get the bits in bursts of this mode: [B, 8, 8]. relevance: [B, 8, 8], see `Asked`."""

    @abstractmethod
    def with_bits(self, bits: int, transmissions: int = 1) -> Self:
        """The same codec for a sender that wants to send this many bits, as robustly as its length allows.

        transmissions: most of a block, all of which the receiver combines; with more, a code may be less robust
        """

    @classmethod
    @abstractmethod
    def length_for(cls, bits: int, snr_db: float, fading: DesignFading) -> int:
        """The least length k that carries so many bits at a design SNR, dB; the longest one if none does."""


class Needed(Protocol):
    """What a further question needs and the receiver does not hold. new: its cells, [64]. bits: that they take."""

    new: Bools
    bits: int


class FollowingCodec(QueryCodec):
    """A codec that sends for a further question about a picture only what the receiver does not hold of it yet.

    What is held of a picture, and what is needed, only the codec understands. `asked` is of one picture, with its
    relevance.
    """

    @abstractmethod
    def begin(self, asked: Asked, snr_db: float) -> tuple[Complex, Any]:
        """Symbols [k/2] of a first question, as `encode` makes them, and what is held once they have arrived."""

    @abstractmethod
    def nothing(self, snr_db: float) -> Any:
        """What is held when those symbols were lost."""

    @abstractmethod
    def needed(self, asked: Asked, held: Any) -> Any:
        """What a further question needs: `Needed`."""

    @abstractmethod
    def go_on(self, needed: Any, held: Any, snr_db: float) -> tuple[Complex, Any]:
        """Symbols [k/2] of a further question, and what is held once they have arrived."""

    @abstractmethod
    def with_all_of(self, bits: int) -> Self:
        """The same codec for a sender all of whose bits are needed, if its length can carry them at all."""

    @abstractmethod
    def decode_further(
        self, x_hat: Complex, n0_eff: Floats, held: Sequence[Any]
    ) -> tuple[DecodedPictures, Sequence[Any]]:
        """Pictures of bursts of sessions, as `decode`, and what is held of each from now on.

        held: [B], of each picture so far; None for a first question.
        """


AnyCodec = Codec | PictureCodec | QueryCodec


def is_slow(codec: AnyCodec) -> bool:
    """Whether its bursts take many times longer than those of embeddings: pictures, questions, channel codes."""
    return not isinstance(codec, Codec) or not codec.quick


def fit_picture(image: Image.Image, side: int = SIDE) -> Pixels:
    """Scale an RGB picture of any size and crop its longer sides: [side, side, 3], uint8."""
    return np.array(ImageOps.fit(image, (side, side), Image.Resampling.BICUBIC))


def fit_pictures(pixels: Pixels) -> Pixels:
    """Apply `fit_picture` to pictures [B, H, W, 3]; returns pictures of 32 x 32 unchanged."""
    if pixels.shape[1:] == (SIDE, SIDE, 3):
        return pixels
    return np.stack([fit_picture(Image.fromarray(each)) for each in pixels])


def dim_unsent(pixels: Pixels, sent: Sequence[bool]) -> Pixels:
    """A picture [S, S, 3], pale where it is not sent. sent: of its cells, row by row; S a multiple of a row's cells."""
    cells = math.isqrt(len(sent))
    side = len(pixels) // cells
    shown = np.reshape(sent, (cells, cells)).repeat(side, 0).repeat(side, 1)[:, :, None]
    return np.where(shown, pixels, 255 - (255 - pixels) // 6).astype(np.uint8)


def of_embeddings(codec: AnyCodec) -> Codec:
    """The codec itself, checked to take embeddings. Raises InvalidSetting for a codec of pictures."""
    if not isinstance(codec, Codec):
        raise InvalidSetting(f"codec {codec.name} takes pictures, not embeddings: choose another, such as nested")
    return codec


def check_pixels(name: str, pixels: Pixels) -> None:
    """Raise InvalidPicture unless these are pictures [B, 32, 32, 3], uint8."""
    if pixels.shape[1:] != (SIDE, SIDE, 3) or pixels.dtype != np.uint8:
        raise InvalidPicture(
            f"codec {name} takes pictures [B, {SIDE}, {SIDE}, 3] of uint8, not {list(pixels.shape)} of "
            f"{pixels.dtype}: resize them"
        )


def check_asked(name: str, asked: Asked) -> None:
    """Raise InvalidPicture unless these are pictures [B, 64, 64, 3], uint8, with a question each."""
    shape, kind = asked.pixels.shape[1:], asked.pixels.dtype
    if shape != (ASKED_SIDE, ASKED_SIDE, 3) or kind != np.uint8 or len(asked.words) != len(asked.pixels):
        raise InvalidPicture(
            f"codec {name} takes pictures [B, {ASKED_SIDE}, {ASKED_SIDE}, 3] of uint8 with a question each, not "
            f"{list(asked.pixels.shape)} of {kind} with {len(asked.words)} questions: resize them"
        )
