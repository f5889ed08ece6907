"""Codecs: embeddings to symbols and back, one file each."""

from shared.codecs.base import Codec, Decoded
from shared.codecs.registry import CODECS, CodecShelf, codec_class

__all__ = ["CODECS", "Codec", "CodecShelf", "Decoded", "codec_class"]
