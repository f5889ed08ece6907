"""CLIP: pictures and texts on one sphere, the same code for clip-tiny and for any model that open_clip knows."""

from shared.clip.bundle import codecs_of
from shared.clip.loading import load_clip
from shared.clip.model import Clip, embed_pictures
from shared.clip.name import MODEL

__all__ = ["MODEL", "Clip", "codecs_of", "embed_pictures", "load_clip"]
