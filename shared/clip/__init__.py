"""CLIP: pictures and texts on one sphere, the same code for clip-tiny and for any model that open_clip knows."""

from shared.clip.loading import load_clip
from shared.clip.model import Clip, embed_pictures
from shared.clip.name import MODEL

__all__ = ["MODEL", "Clip", "embed_pictures", "load_clip"]
