"""One picture on its way into a knowledge base: decoded, known by its content, with a thumbnail."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from receiver.knowledge_base.ingest.thumbnail import content_digest, make_thumbnail
from receiver.knowledge_base.store.schema import blob_digest
from shared.datasets import Picture
from shared.errors import Exhausted, InvalidInput

# What one picture can do to its reader without the others being concerned.
UNREADABLE = (InvalidInput, Exhausted, OSError, ValueError)


@dataclass(frozen=True)
class Prepared:
    """A picture that only its embedding is missing from; fields as in `NewItem`. image: RGB."""

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
        """What a `NewItem` has beside id, label and embedding."""
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
