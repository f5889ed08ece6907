"""Pictures of a knowledge base: decoding, content digest, thumbnail, and reading the original file again."""

import os
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from receiver.knowledge_base.store.schema import blob_digest, digest
from shared.datasets import Picture
from shared.errors import Exhausted, InvalidInput, NotFound
from shared.frame.kb import Item

THUMBNAIL_SIDE = 96  # pixels, at most
# Errors of one picture alone; the others of its batch are still read.
UNREADABLE = (InvalidInput, Exhausted, OSError, ValueError)


@dataclass(frozen=True)
class Prepared:
    """A decoded picture without its embedding yet; fields as in `ItemRecord`. image: RGB."""

    item_id: str
    label: str
    caption: str
    image: Image.Image
    content: bytes
    thumbnail: bytes
    path: str
    picture: bytes
    picture_digest: bytes

    def fields(self) -> dict[str, Any]:
        """What a `ItemRecord` has beside id, label and embedding."""
        names = ("caption", "content", "thumbnail", "path", "picture", "picture_digest")
        return {name: getattr(self, name) for name in names}


def prepare(picture: Picture, *, copy: bool) -> Prepared:
    """Read and decode one picture. copy: keep its file's bytes. Raises one of `UNREADABLE`."""
    file = picture.encoded() if copy or picture.has_file else b""
    image = picture.decode(file) if picture.has_file else picture.image()
    return Prepared(
        item_id=picture.id,
        label=picture.label,
        caption=picture.caption,
        image=image,
        content=content_digest(image),
        thumbnail=make_thumbnail(image),
        path=str(picture.content.absolute()) if isinstance(picture.content, Path) else "",
        picture=file if copy else b"",
        picture_digest=blob_digest(file) if copy or isinstance(picture.content, Path) else b"",
    )


def make_thumbnail(image: Image.Image) -> bytes:
    """WebP of a picture, scaled to fit 96 x 96 pixels if it is larger."""
    small = image.copy()
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.LANCZOS)
    file = BytesIO()
    small.convert("RGB").save(file, "WEBP", quality=80, method=2)
    return file.getvalue()


def content_digest(image: Image.Image) -> bytes:
    """SHA-256 of a picture's size and RGB pixels: the same for equal pictures in files of different formats."""
    return digest((f"{image.width}x{image.height}".encode(), image.convert("RGB").tobytes()))


def read_original(item: Item) -> bytes:
    """The file of an item's picture, unchanged since it was stored. Raises NotFound, with the reason, without one."""
    if item.picture:
        return item.picture
    if not item.path:
        raise NotFound(f"the picture of {item.item_id!r} was not kept; add items with --copy to keep their files")
    path = Path(item.path)
    try:
        file = path.read_bytes()
    except OSError as error:
        raise NotFound(f"the picture of {item.item_id!r} is gone: {path}: {os.strerror(error.errno or 0)}") from error
    if blob_digest(file) != item.picture_digest:
        raise NotFound(f"the picture of {item.item_id!r} is not what was stored any more: {path}")
    return file
