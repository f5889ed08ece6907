"""`semlink kb info`, `get`, `search`, `list`: query a knowledge base."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.console import answer, out, plain_table, show_fields, untrusted
from cli.kb.common import Folder, Place, describe, one_of, opened
from cli.options import Json, ReceiverAt
from client.connection import RECEIVER
from client.knowledge_base import KnowledgeBaseClient, Query
from shared.datasets.embeddings import map_array
from shared.errors import InvalidSetting, NotFound
from shared.frame.kb import Listed
from shared.frame.reception import Hit

_COLUMNS = ("item_id", "label", "caption", "path")
_FIRST_SEARCH_SECONDS = 120.0  # the receiver may have to load its CLIP


def info(
    place: Place = None,
    directory: Folder = None,
    receiver: ReceiverAt = RECEIVER,
    json: Json = False,
) -> None:
    """Show what a knowledge base holds.

    - `semlink kb info` — the running receiver's
    - `semlink kb info out/kb`
    """
    with opened(one_of(place, directory), receiver) as knowledge_base:
        found = describe(knowledge_base)
    answer(json, found, lambda: show_fields(asdict(found)))


def get(
    item_id: Annotated[str, typer.Argument(metavar="ID", help="As `semlink kb list` shows it.")],
    *,
    picture: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the picture's own file there.")] = None,
    thumbnail: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the thumbnail, a WebP, there.")] = None,
    receiver: ReceiverAt = RECEIVER,
    json: Json = False,
) -> None:
    """Show one item of the receiver's knowledge base, and write its picture.

    The file itself is there if it was copied in, or still lies where it was when the knowledge base was built.

    - `semlink kb get cat.jpg --thumbnail small.webp`
    - `semlink kb get cat.jpg --picture original.jpg`
    """
    with KnowledgeBaseClient(receiver) as knowledge_base:
        item = knowledge_base.get_item(item_id, with_picture=picture is not None)
    if picture is not None:
        if not item.picture:
            raise NotFound(item.picture_missing)
        picture.write_bytes(item.picture)
    if thumbnail is not None:
        if not item.thumbnail:
            raise NotFound(f"{item_id!r} came without a picture; it has no thumbnail")
        thumbnail.write_bytes(item.thumbnail)
    texts = {name: getattr(item, name) for name in _COLUMNS}
    sizes = {"thumbnail": f"{len(item.thumbnail)} bytes", "embedding": f"{item.embedding.size} values"}
    document = texts | {"thumbnail_bytes": len(item.thumbnail), "embedding": item.embedding.tolist()}
    answer(json, document, lambda: show_fields(texts | sizes))


def search(
    text: Annotated[str | None, typer.Argument(help="What to look for, in words.")] = None,
    *,
    picture: Annotated[Path | None, typer.Option(metavar="FILE", help="Look for pictures like this one.")] = None,
    item: Annotated[str | None, typer.Option(metavar="ID", help="Look for items like this one.")] = None,
    embedding: Annotated[Path | None, typer.Option(metavar="FILE", help="Look for a vector: a .npy [dim].")] = None,
    top: Annotated[int, typer.Option(min=1, max=100, help="Hits wanted.")] = 5,
    label: Annotated[list[str] | None, typer.Option(help="Only items with this label; may be repeated.")] = None,
    receiver: ReceiverAt = RECEIVER,
    json: Json = False,
) -> None:
    """Search the receiver's knowledge base by words, by a picture, by one of its items, or by a vector.

    - `semlink kb search "a red circle"`
    - `semlink kb search --picture cat.jpg --top 10 --label cat --label dog`
    """
    query = _query(text, picture, item, embedding)
    with KnowledgeBaseClient(receiver, timeout=_FIRST_SEARCH_SECONDS) as knowledge_base:
        found = knowledge_base.search(top, label or (), **query)
    answer(json, found, lambda: _show_hits(found.hits))


def list_(
    place: Place = None,
    *,
    label: Annotated[str | None, typer.Option(help="Only items with this label.")] = None,
    most: Annotated[int | None, typer.Option("--most", min=1, help="Stop after so many.")] = None,
    directory: Folder = None,
    receiver: ReceiverAt = RECEIVER,
    json: Json = False,
) -> None:
    """List items in the order in which they were added: id, label, caption, path.

    - `semlink kb list --label cat --most 20`
    """
    with opened(one_of(place, directory), receiver) as knowledge_base:
        found = islice(_listed(knowledge_base, label), most)
        lines = [{name: getattr(one, name) for name in _COLUMNS} for one in found]
    table = plain_table("id", *_COLUMNS[1:], rows=(map(untrusted, line.values()) for line in lines))
    answer(json, lines, lambda: out.print(table))


def _listed(knowledge_base: Any, label: str | None) -> Iterator[Listed]:
    if isinstance(knowledge_base, KnowledgeBaseClient):
        yield from knowledge_base.list_items(label)
        return
    after = -1
    while page := knowledge_base.list_items(after, 1000, label):
        yield from page
        after = page[-1].position


def _query(text: str | None, picture: Path | None, item: str | None, embedding: Path | None) -> Query:
    """The one query that was given."""
    given = {"text": text, "picture": picture, "item_id": item, "embedding": embedding}
    named = {name: value for name, value in given.items() if value is not None}
    if len(named) != 1:
        raise InvalidSetting("search for one thing: words, --picture FILE, --item ID or --embedding FILE")
    if embedding is not None:
        return {"embedding": _vector(embedding)}
    return named  # type: ignore[return-value]


def _vector(path: Path) -> Any:
    vector = map_array(path)
    if vector.ndim != 1:
        raise InvalidSetting(f"--embedding {path}: it holds {list(vector.shape)}, not one vector [dim]")
    return vector


def _show_hits(hits: Iterable[Hit]) -> None:
    rows = ((f"{hit.distance:.3f}", untrusted(hit.label), untrusted(hit.item_id)) for hit in hits)
    out.print(plain_table("distance", "label", "id", rows=rows))
