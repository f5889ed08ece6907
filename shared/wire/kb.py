"""The knowledge base's messages where `shared.wire.converter` alone does not do: paths, pages, embeddings.

Paths and problems go as printable text: file systems allow names that are not UTF-8.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePath

from protos.semlink.v1 import knowledge_base_pb2 as pb
from shared.errors import InvalidInput, InvalidSetting
from shared.frame.kb import Item, Listed, Snapshot, Verification
from shared.frame.symbols import unpack_floats
from shared.types import Embedding
from shared.wire.converter import AnyMessage, to_message
from shared.wire.discretion import caller_is_local, told

_PAGE_ITEMS = 100
_MOST_PAGE_ITEMS = 1000
_PAGE_BYTES = 1 << 20


def embedding_from_wire(data: bytes, what: str) -> Embedding:
    """An embedding: [dim]. what: whose it is, for the error. Raises InvalidInput for no values, or a part of one."""
    try:
        return unpack_floats(data)
    except InvalidInput as error:
        raise InvalidInput(f"the embedding of {what} has {error}") from error


def with_path_to_wire(record: Item | Listed | Snapshot, kind: type[AnyMessage]) -> AnyMessage:
    """A record that has a path; callers on other machines are told its last part."""
    path = record.path if caller_is_local.get() else PurePath(record.path).name
    return to_message(replace(record, path=_printable(path)), kind)


def page_from_wire(request: pb.ListRequest) -> tuple[int, int, str | None]:
    """Behind which position, how many, and of which label. Raises InvalidSetting for what is no page."""
    if request.count > _MOST_PAGE_ITEMS:
        raise InvalidSetting(f"count = {request.count}: ask for 1 to {_MOST_PAGE_ITEMS} items in a page")
    if request.page and not (request.page.isascii() and request.page.isdigit() and len(request.page) < 19):
        raise InvalidSetting(f"page = {request.page[:100]!r}: send back `next` of the page before, or nothing")
    label = request.label if request.HasField("label") else None
    return int(request.page or -1), request.count or _PAGE_ITEMS, label


def page_to_wire(items: Sequence[Listed], count: int) -> pb.ListResponse:
    """One page of at most `count` items, and how to ask for the next; `items` has one more where there is one.

    A page of long texts ends early: it has at most _PAGE_BYTES, or one item.
    """
    page, size = pb.ListResponse(), 0
    for one in items[:count]:
        line = with_path_to_wire(one, pb.ListResponse.Line)
        size += line.ByteSize()
        if page.items and size > _PAGE_BYTES:
            break
        page.items.append(line)
    if len(items) > len(page.items):
        page.next = str(items[len(page.items) - 1].position)
    return page


def verification_to_wire(found: Verification) -> pb.VerifyResponse:
    """What was read and what is wrong."""
    problems = tuple(told(_printable(problem)) for problem in found.problems)
    return to_message(replace(found, problems=problems), pb.VerifyResponse)


def _printable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
