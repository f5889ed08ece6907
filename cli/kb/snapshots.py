"""`semlink kb snapshots`: the copies of a knowledge base that there are."""

from typing import Annotated

import typer

from cli.console import answer, out, plain_table, untrusted
from cli.kb.common import Folder, Place, one_of
from cli.lazy import load
from cli.options import Json, ReceiverAt
from client.connection import RECEIVER
from client.knowledge_base import KnowledgeBaseClient
from shared.frame.kb import Kept


def list_(place: Place = None, directory: Folder = None, receiver: ReceiverAt = RECEIVER, json: Json = False) -> None:
    """List the snapshots of a knowledge base; at most 64 are kept.

    - `semlink kb snapshots list`
    """
    directory = one_of(place, directory)
    if directory is not None:
        _show(load("receiver.knowledge_base:list_snapshots")(directory), json)
    else:
        with KnowledgeBaseClient(receiver) as knowledge_base:
            _show(knowledge_base.list_snapshots(), json)


def remove(
    name: Annotated[str, typer.Argument(help="Of the snapshot, see `semlink kb snapshots list`.")],
    place: Place = None,
    directory: Folder = None,
    receiver: ReceiverAt = RECEIVER,
    json: Json = False,
) -> None:
    """Remove a snapshot, and list those that are left.

    - `semlink kb snapshots remove monday`
    """
    directory = one_of(place, directory)
    if directory is not None:
        _show(load("receiver.knowledge_base:remove_snapshot")(directory, name), json)
    else:
        with KnowledgeBaseClient(receiver) as knowledge_base:
            _show(knowledge_base.remove_snapshot(name), json)


def _show(found: list[Kept], json: bool) -> None:
    rows = ((untrusted(one.name), one.created_at, f"{one.size_bytes / 1e6:.1f} MB") for one in found)
    answer(json, found, lambda: out.print(plain_table("snapshot", "created", numbers=["size"], rows=rows)))
