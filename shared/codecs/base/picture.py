"""Codecs of pictures.

pixels [B, 32, 32, 3] --encode--> x [B, k/2] --channel, equalizer--> x_hat [B, k/2] --decode--> pixels [B, 32, 32, 3]

The receiver embeds the decoded pictures with its own CLIP and searches the knowledge base for the embeddings.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from PIL import Image, ImageOps

from shared.codecs.base.contract import BaseCodec, Codec
from shared.errors import InvalidPicture, InvalidSetting
from shared.types import Pixels

SIDE: Final = 32
GREY: Final = 128
"""Grey level of a picture that did not arrive."""


class DecodedPictures(NamedTuple):
    """Pictures of a batch. pixels: [B, 32, 32, 3], uint8, RGB. missing: why each is grey; empty if it arrived."""

    pixels: Pixels
    missing: Sequence[str]


class PictureCodec(BaseCodec[Pixels, DecodedPictures]):
    """A codec of pictures [B, 32, 32, 3], uint8, RGB. It belongs to no CLIP model."""


AnyCodec = Codec | PictureCodec


def fit_picture(image: Image.Image) -> Pixels:
    """Scale an RGB picture of any size and crop its longer sides: [32, 32, 3], uint8."""
    return np.array(ImageOps.fit(image, (SIDE, SIDE), Image.Resampling.BICUBIC))


def fit_pictures(pixels: Pixels) -> Pixels:
    """Apply `fit_picture` to pictures [B, H, W, 3]; returns pictures of 32 x 32 unchanged."""
    if pixels.shape[1:] == (SIDE, SIDE, 3):
        return pixels
    return np.stack([fit_picture(Image.fromarray(each)) for each in pixels])


def of_embeddings(codec: AnyCodec) -> Codec:
    """The codec itself, checked to take embeddings. Raises InvalidSetting for a codec of pictures."""
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
