"""Small pictures to look at, and what tells one picture from another."""

from io import BytesIO

from PIL import Image

from receiver.knowledge_base.store.schema import digest

SIDE = 96  # pixels, at most


def make_thumbnail(image: Image.Image) -> bytes:
    """WebP of a picture, made to fit 96 x 96 pixels where it is larger."""
    small = image.copy()
    small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    file = BytesIO()
    small.convert("RGB").save(file, "WEBP", quality=80, method=2)
    return file.getvalue()


def content_digest(image: Image.Image) -> bytes:
    """SHA-256 of a picture's size and RGB pixels: the same for equal pictures in files of different formats."""
    return digest((f"{image.width}x{image.height}".encode(), image.convert("RGB").tobytes()))
