"""Codecs that send of a picture what a question is about.

pixels [B, 64, 64, 3], questions [B, 9] --encode--> x [B, k/2] --channel, equalizer--> x_hat --decode--> pixels

The receiver need not know the question: what is sent says where it lies.
"""

from typing import NamedTuple

import numpy as np

from shared.codecs.base.contract import BaseCodec
from shared.codecs.base.picture import DecodedPictures
from shared.errors import InvalidPicture
from shared.types import Ints, Pixels

SIDE = 64


class Asked(NamedTuple):
    """Pictures with a question each. pixels: [B, 64, 64, 3], uint8, RGB. words: [B, 9], as an answerer reads them."""

    pixels: Pixels
    words: Ints


class QueryCodec(BaseCodec[Asked, DecodedPictures]):
    """A codec of pictures with questions. It belongs to no CLIP model."""

    def payload_bits(self, mode: int) -> int:
        """Bits of the picture in a burst of this mode, with all positions, without checksum and code."""
        raise NotImplementedError

    def with_bits(self, bits: int) -> "QueryCodec":
        """The same codec for a sender that wants to send this many bits, as robustly as its length allows."""
        raise NotImplementedError


def check_asked(name: str, asked: Asked) -> None:
    """Raise InvalidPicture unless these are pictures [B, 64, 64, 3], uint8, with a question each."""
    shape, kind = asked.pixels.shape[1:], asked.pixels.dtype
    if shape != (SIDE, SIDE, 3) or kind != np.uint8 or len(asked.words) != len(asked.pixels):
        raise InvalidPicture(
            f"codec {name} takes pictures [B, {SIDE}, {SIDE}, 3] of uint8 with a question each, not "
            f"{list(asked.pixels.shape)} of {kind} with {len(asked.words)} questions: resize them"
        )
