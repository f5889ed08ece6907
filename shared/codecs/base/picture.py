"""What a codec of pictures is.

pixels [B, 32, 32, 3] --encode--> x [B, k/2] --channel, equalizer--> x_hat [B, k/2] --decode--> pixels [B, 32, 32, 3]

The receiver embeds what arrives with its own CLIP, and looks that up.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from PIL import Image, ImageOps

from shared.codecs.base.contract import BaseCodec, Codec, DesignSnr
from shared.errors import InvalidPicture, InvalidSetting
from shared.types import Complex, Floats, Pixels

SIDE: Final = 32
GREY: Final = 128
"""Of a picture that did not arrive."""


class DecodedPictures(NamedTuple):
    """Pictures of a batch. pixels: [B, 32, 32, 3], uint8, RGB. missing: why each is grey; empty if it arrived."""

    pixels: Pixels
    missing: Sequence[str]


class PictureCodec(BaseCodec):
    """Pictures to symbols of unit power per burst, and back. It belongs to no CLIP model."""

    @abstractmethod
    def encode(self, pixels: Pixels, snr_db: DesignSnr | None = None) -> Complex:
        """Symbols [B, k/2], complex64, unit mean power per row, of pictures [B, 32, 32, 3], uint8, RGB.

        snr_db: [B], float32, dB, the operating point; NaN or None for the codec's own default.
        """

    @abstractmethod
    def decode(self, x_hat: Complex, n0_eff: Floats) -> DecodedPictures:
        """Pictures of equalized symbols.

        x_hat: [B, k/2], complex64. n0_eff: [B, k/2], float32, noise power of each; NaN where it is not known.
        """


AnyCodec = Codec | PictureCodec


def fit_picture(image: Image.Image) -> Pixels:
    """An RGB picture of any size as codecs of pictures take it: scaled and cut at its longer sides, [32, 32, 3]."""
    return np.array(ImageOps.fit(image, (SIDE, SIDE), Image.Resampling.BICUBIC))


def fit_pictures(pixels: Pixels) -> Pixels:
    """Pictures [B, H, W, 3] as `fit_picture` makes them; as they are where nothing is to do."""
    if pixels.shape[1:] == (SIDE, SIDE, 3):
        return pixels
    return np.stack([fit_picture(Image.fromarray(each)) for each in pixels])


def of_embeddings(codec: AnyCodec) -> Codec:
    """The codec, for who has only embeddings. Raises InvalidSetting for one that takes pictures."""
    if isinstance(codec, PictureCodec):
        raise InvalidSetting(f"codec {codec.name} takes pictures, not embeddings: choose another, such as nested")
    return codec


def check_pixels(name: str, pixels: Pixels) -> None:
    """Raise InvalidPicture unless these are pictures [B, 32, 32, 3], uint8."""
    if pixels.shape[1:] != (SIDE, SIDE, 3) or pixels.dtype != np.uint8:
        raise InvalidPicture(
            f"codec {name} takes pictures [B, {SIDE}, {SIDE}, 3] of uint8, not {list(pixels.shape)} of "
            f"{pixels.dtype}: resize them"
        )
