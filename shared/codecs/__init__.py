"""Codecs: embeddings or pictures to symbols and back, one file each."""

from shared.codecs.base.contract import Codec, Decoded
from shared.codecs.base.picture import AnyCodec, FollowingCodec, PictureCodec, QueryCodec, is_slow
from shared.codecs.base.registry import CODECS, CodecShelf, codec_class

__all__ = [
    "CODECS",
    "AnyCodec",
    "Codec",
    "CodecShelf",
    "Decoded",
    "FollowingCodec",
    "PictureCodec",
    "QueryCodec",
    "codec_class",
    "is_slow",
]
