"""`semlink kb add`, `remove`, `relabel`: change the receiver's knowledge base while it serves."""

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer

from cli.console import answer, complain_of, out
from cli.kb.common import Copy
from cli.options import Json, ReceiverAt
from cli.progress import progress
from client import KnowledgeBaseClient, NewItem
from client.connection import RECEIVER
from shared.datasets import Embedded, EmbeddingSource, Picture, PictureSource, open_collection
from shared.datasets.folder import SUFFIXES
from shared.local_path import local_path


def add(
    sources: Annotated[
        list[str], typer.Argument(metavar="SOURCE...", help="Pictures, or sources as `semlink kb build` takes them.")
    ],
    *,
    label: Annotated[str | None, typer.Option(help="Label of all of them; else what the source says.")] = None,
    copy: Copy = False,
    clip_fingerprint: Annotated[
        str, typer.Option(metavar="HEX", help="Of the CLIP that made ready embeddings; `semlink kb info` shows it.")
    ] = "",
    receiver: ReceiverAt = RECEIVER,
    json: Json = False,
) -> None:
    """Add pictures or ready embeddings to the receiver's knowledge base; it keeps serving.

    Each item is on the receiver's disk when it is counted here, and is found from then on. A picture's id is its path
    as you type it. Ends with status 1 if an item was refused; the others are stored.

    - `semlink kb add cat.jpg dog.jpg --label pet`
    - `semlink kb add holiday-pictures/ --copy`
    - `semlink kb add features.npz --clip-fingerprint 0123456789abcdef`
    """
    collections = [_open(source) for source in sources]
    total = sum(map(len, collections))
    items = chain.from_iterable(_items(one, label, copy) for one in collections)
    refused: list[dict[str, str]] = []
    start = perf_counter()
    with KnowledgeBaseClient(receiver) as knowledge_base, progress("adding") as report:
        for done, one in enumerate(knowledge_base.add(items, clip_fingerprint), 1):
            if one.error is not None:
                refused.append({"item_id": one.item_id, "reason": str(one.error)})
            report(done, total)
        version = knowledge_base.describe().version
    added, seconds = total - len(refused), perf_counter() - start
    document = {"added": added, "refused": refused, "seconds": seconds, "version": version}
    text = f"added {added} items in {seconds:.1f} s, {added / seconds:.0f} a second; version {version}"
    answer(json, document, lambda: out.print(text))
    if refused:
        if not json:
            complain_of([f"refused {one['item_id']}: {one['reason']}" for one in refused])
        raise typer.Exit(1)


def remove(
    item_ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Ids, as `semlink kb list` shows them.")],
    receiver: ReceiverAt = RECEIVER,
    json: Json = False,
) -> None:
    """Remove items, all or none; searches no longer find them.

    - `semlink kb remove cat.jpg dog.jpg`
    """
    with KnowledgeBaseClient(receiver) as knowledge_base:
        _tell_changed("removed", knowledge_base.remove(item_ids), json)


def relabel(
    label: Annotated[str, typer.Argument(help="The new label.")],
    item_ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Ids, as `semlink kb list` shows them.")],
    receiver: ReceiverAt = RECEIVER,
    json: Json = False,
) -> None:
    """Give items another label, all or none.

    - `semlink kb relabel cat tom.jpg kitty.jpg`
    """
    with KnowledgeBaseClient(receiver) as knowledge_base:
        _tell_changed("relabelled", knowledge_base.relabel(dict.fromkeys(item_ids, label)), json)


def _open(source: str) -> PictureSource | EmbeddingSource | list[Picture]:
    path = local_path(source)
    if path.suffix.lower() in SUFFIXES and not path.is_dir():
        return [Picture(source, "", path)]
    return open_collection(source)


def _items(collection: Iterable[Picture | Embedded], label: str | None, copy: bool) -> Iterator[NewItem]:
    for one in collection:
        name = one.label if label is None else label
        if isinstance(one, Embedded):
            yield NewItem(one.id, name, embedding=one.embedding, caption=one.caption)
        else:
            picture = one.content if isinstance(one.content, Path) else one.encoded()
            yield NewItem(one.id, name, picture=picture, caption=one.caption, copy=copy)


def _tell_changed(what: str, changed: int, json: bool) -> None:
    answer(json, {what: changed}, lambda: out.print(f"{what} {changed}"))
