"""Learned joint source-channel coding of pictures: pixels to symbols, and symbols to pixels."""

from shared.codecs.jscc.codec import PictureCodec
from shared.codecs.jscc.registry import PICTURE_CODECS, picture_codec_class

__all__ = ["PICTURE_CODECS", "PictureCodec", "picture_codec_class"]
