"""Pictures of a knowledge base: decoding, content digest, thumbnail, and reading the original file again."""

import os
from collections.abc import Iterator
from io import BytesIO
from itertools import chain
from pathlib import Path

import numpy as np
from PIL import Image

from receiver.knowledge_base.records import ItemRecord
from receiver.knowledge_base.store.schema import blob_digest, digest_of_pieces
from shared.datasets import Picture
from shared.datasets.decoding import MAX_BYTES
from shared.errors import Exhausted, InvalidInput, NotFound
from shared.files import read_regular
from shared.frame.kb import Item

THUMBNAIL_SIDE = 96  # pixels, at most
_BAND_ROWS = 256
# Errors of one picture alone; the others of its batch are still read.
UNREADABLE = (InvalidInput, Exhausted, OSError, ValueError)


def prepare(picture: Picture, *, copy: bool) -> tuple[Image.Image, ItemRecord]:
    """Read and decode one picture: RGB, and its item, whose embedding is still empty.

    copy: keep its file's bytes. Raises one of `UNREADABLE`.
    """
    file = picture.encoded() if copy or picture.has_file else b""
    image = picture.decode(file) if picture.has_file else picture.image()
    return image, ItemRecord(
        picture.id,
        picture.label,
        np.empty(0, np.float32),
        picture.caption,
        thumbnail=make_thumbnail(image),
        path=str(picture.content.absolute()) if isinstance(picture.content, Path) else "",
        picture=file if copy else b"",
        picture_digest=blob_digest(file) if copy or isinstance(picture.content, Path) else b"",
        content=content_digest(image),
    )


def make_thumbnail(image: Image.Image) -> bytes:
    """WebP of a picture, scaled to fit 96 x 96 pixels if it is larger."""
    scale = min(1.0, THUMBNAIL_SIDE / max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    file = BytesIO()
    small = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
    small.convert("RGB").save(file, "WEBP", quality=80, method=2)
    return file.getvalue()


def content_digest(image: Image.Image) -> bytes:
    """SHA-256 of a picture's size and RGB pixels: the same for equal pictures in files of different formats."""
    size = f"{image.width}x{image.height}".encode()
    return digest_of_pieces((len(size), 3 * image.width * image.height), chain([size], _bands(image)))


def _bands(image: Image.Image) -> Iterator[bytes]:
    """RGB pixels, some rows at a time: a large picture is in memory once."""
    for top in range(0, image.height, _BAND_ROWS):
        band = image.crop((0, top, image.width, min(top + _BAND_ROWS, image.height)))
        yield band.convert("RGB").tobytes()


def read_original(item: Item) -> bytes:
    """The file of an item's picture, unchanged since it was stored. Raises NotFound, with the reason, without one."""
    if item.picture:
        return item.picture
    if not item.path:
        raise NotFound(f"the picture of {item.item_id!r} was not kept; add items with --copy to keep their files")
    path = Path(item.path)
    try:
        file = read_regular(path, MAX_BYTES)
    except OSError as error:
        raise NotFound(f"the picture of {item.item_id!r} is gone: {path}: {os.strerror(error.errno or 0)}") from error
    except (InvalidInput, Exhausted) as error:
        raise NotFound(f"the picture of {item.item_id!r} is not what was stored any more: {error}") from error
    if blob_digest(file) != item.picture_digest:
        raise NotFound(f"the picture of {item.item_id!r} is not what was stored any more: {path}")
    return file
