"""The pictures' files themselves, in the store or where they were when the knowledge base was built."""

import os
from pathlib import Path

from receiver.knowledge_base.records import Item
from receiver.knowledge_base.store.schema import blob_digest
from shared.errors import NotFound


def read_original(item: Item) -> bytes:
    """The file of an item's picture, as it was when it was stored. Raises NotFound, and says why, without one."""
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
