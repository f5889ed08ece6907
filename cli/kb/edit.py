"""`semlink kb add`, `remove`, `relabel`: change the receiver's knowledge base while it serves."""

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.console import Json, ReceiverAt, err, out, print_json
from client.connection import RECEIVER

if TYPE_CHECKING:
    from client import NewItem
    from shared.datasets import Embedded, EmbeddingSource, Picture, PictureSource

_SHOWN = 20  # refused items that are printed one by one


def add(
    sources: Annotated[
        list[str], typer.Argument(metavar="SOURCE...", help="Pictures, or sources as `semlink kb build` takes them.")
    ],
    *,
    label: Annotated[str | None, typer.Option(help="Label of all of them; else what the source says.")] = None,
    copy: Annotated[bool, typer.Option("--copy", help="Keep the pictures' files too, not only thumbnails.")] = False,
    clip_fingerprint: Annotated[
        str, typer.Option(metavar="HEX", help="Of the CLIP that made ready embeddings; `semlink kb info` shows it.")
    ] = "",
    receiver: ReceiverAt = RECEIVER,
    json: Json = False,
) -> None:
    """Add pictures or ready embeddings to the receiver's knowledge base; it goes on serving.

    Each item is on the receiver's disk when it is counted here, and is found from then on. A picture's id is its path
    as you type it. Ends with status 1 if an item was refused; the others are stored.

    - `semlink kb add cat.jpg dog.jpg --label pet`
    - `semlink kb add holiday-pictures/ --copy`
    - `semlink kb add features.npz --clip-fingerprint 0123456789abcdef`
    """
    from cli.progress import progress  # noqa: PLC0415
    from client.knowledge_base import KnowledgeBaseClient  # noqa: PLC0415

    collections = [_open(source) for source in sources]
    total = sum(map(len, collections))
    items = chain.from_iterable(_items(one, label, copy) for one in collections)
    refused: list[dict[str, str]] = []
    start = perf_counter()
    with KnowledgeBaseClient(receiver) as knowledge_base, progress("adding") as report:
        for done, added in enumerate(knowledge_base.add(items, clip_fingerprint), 1):
            if added.error is not None:
                refused.append({"item_id": added.item_id, "reason": str(added.error)})
            report(done, total)
        version = knowledge_base.describe().version
    _tell(total - len(refused), refused, perf_counter() - start, version, json)


def remove(
    item_ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Ids, as `semlink kb list` shows them.")],
    receiver: ReceiverAt = RECEIVER,
    json: Json = False,
) -> None:
    """Remove items, all or none; they are found no more from now on.

    - `semlink kb remove cat.jpg dog.jpg`
    """
    from client.knowledge_base import KnowledgeBaseClient  # noqa: PLC0415

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
    from client.knowledge_base import KnowledgeBaseClient  # noqa: PLC0415

    with KnowledgeBaseClient(receiver) as knowledge_base:
        _tell_changed("relabelled", knowledge_base.relabel(dict.fromkeys(item_ids, label)), json)


def _open(source: str) -> "PictureSource | EmbeddingSource | list[Picture]":
    from shared.datasets import Picture, open_collection  # noqa: PLC0415
    from shared.datasets.folder import SUFFIXES  # noqa: PLC0415

    path = Path(source)
    if path.suffix.lower() in SUFFIXES and not path.is_dir():
        return [Picture(source, "", path)]
    return open_collection(source)


def _items(collection: "Iterable[Picture | Embedded]", label: str | None, copy: bool) -> "Iterator[NewItem]":
    from client import NewItem  # noqa: PLC0415
    from shared.datasets import Embedded  # noqa: PLC0415

    for one in collection:
        name = one.label if label is None else label
        if isinstance(one, Embedded):
            yield NewItem(one.id, name, embedding=one.embedding, caption=one.caption)
        else:
            picture = one.content if isinstance(one.content, Path) else one.encoded()
            yield NewItem(one.id, name, picture=picture, caption=one.caption, copy=copy)


def _tell(added: int, refused: list[dict[str, str]], seconds: float, version: int, json: bool) -> None:
    if json:
        print_json({"added": added, "refused": refused, "seconds": seconds, "version": version})
    else:
        out.print(f"added {added} items in {seconds:.1f} s, {added / seconds:.0f} a second; version {version}")
        for one in refused[:_SHOWN]:
            line = f"refused {one['item_id']}: {one['reason']}"
            err.print(line, style="yellow", markup=False, highlight=False, soft_wrap=True)
        if len(refused) > _SHOWN:
            err.print(f"and {len(refused) - _SHOWN} more; --json lists all", style="yellow")
    if refused:
        raise typer.Exit(1)


def _tell_changed(what: str, changed: int, json: bool) -> None:
    document: dict[str, Any] = {what: changed}
    if json:
        print_json(document)
    else:
        out.print(f"{what} {changed}")
