"""The knowledge base's messages to plain values and back."""

import numpy as np

from protos.semlink.v1 import knowledge_base_pb2 as pb
from receiver.knowledge_base import Description, Item, Listed, Snapshot, Verification
from shared.errors import InvalidInput, InvalidSetting
from shared.rpc.status import failure_from
from shared.types import Floats

_FLOAT = np.dtype("<f4")
_PAGE_ITEMS = 100
_MOST_PAGE_ITEMS = 1000


def description_to_wire(description: Description) -> pb.KnowledgeBaseDescription:
    """A knowledge base in a few words."""
    return pb.KnowledgeBaseDescription(**vars(description))


def embedding_from_wire(data: bytes, what: str) -> Floats:
    """An embedding: [dim], float32. what: whose it is, for the error."""
    if not data or len(data) % _FLOAT.itemsize:
        raise InvalidInput(f"the embedding of {what} has {len(data)} bytes; send dim values, float32 little endian")
    return np.frombuffer(data, _FLOAT).astype(np.float32)


def item_to_wire(item: Item, picture: bytes = b"", missing: str = "") -> pb.Item:
    """One stored item, and its picture's file or why there is none."""
    return pb.Item(
        item_id=item.item_id,
        label=item.label,
        thumbnail=item.thumbnail,
        embedding=item.embedding.astype(_FLOAT).tobytes(),
        caption=item.caption,
        path=_printable(item.path),
        picture=picture,
        picture_missing=missing,
    )


def added_to_wire(item_id: str, outcome: int | Exception) -> pb.Added:
    """What became of one new item."""
    failure = failure_from(outcome) if isinstance(outcome, Exception) else None
    return pb.Added(item_id=item_id, failure=failure)


def page_from_wire(request: pb.ListRequest) -> tuple[int, int, str | None]:
    """Behind which position, how many, and of which label. Raises InvalidSetting for what is no page."""
    if request.count > _MOST_PAGE_ITEMS:
        raise InvalidSetting(f"count = {request.count}: ask for 1 to {_MOST_PAGE_ITEMS} items in a page")
    if request.page and not (request.page.isascii() and request.page.isdigit() and len(request.page) < 19):
        raise InvalidSetting(f"page = {request.page[:100]!r}: send back `next` of the page before, or nothing")
    label = request.label if request.HasField("label") else None
    return int(request.page or -1), request.count or _PAGE_ITEMS, label


def page_to_wire(items: list[Listed], count: int) -> pb.ListResponse:
    """One page of at most `count` items, and how to ask for the next; `items` has one more where there is one."""
    lines = [
        pb.ListResponse.Line(item_id=one.item_id, label=one.label, caption=one.caption, path=_printable(one.path))
        for one in items[:count]
    ]
    return pb.ListResponse(items=lines, next=str(items[count - 1].position) if len(items) > count else "")


def snapshot_to_wire(snapshot: Snapshot) -> pb.SnapshotResponse:
    """A snapshot that was made."""
    fields = vars(snapshot) | {"path": _printable(str(snapshot.path))}
    return pb.SnapshotResponse(**fields)


def verification_to_wire(found: Verification) -> pb.VerifyResponse:
    """What was read and what is wrong."""
    return pb.VerifyResponse(items=found.items, indexes=found.indexes, problems=map(_printable, found.problems))


def _printable(text: str) -> str:
    """A path as UTF-8 can say it; file systems allow other bytes."""
    return text.encode("utf-8", "backslashreplace").decode()
