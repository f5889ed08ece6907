"""`semlink kb snapshot`, `restore`, `verify`, `compact`: maintain a knowledge base."""

from dataclasses import asdict
from typing import Annotated

import typer

from cli.console import answer, complain, out, show_fields
from cli.kb.common import Folder, Place, describe, one_of, opened
from cli.lazy import load
from cli.options import Json, ReceiverAt
from client.connection import RECEIVER
from client.knowledge_base import KnowledgeBaseClient
from shared.frame.kb import KnowledgeBaseInfo, Snapshot, Verification

Name = Annotated[str, typer.Argument(help="Letters, digits and any of . _ -")]


def snapshot(
    name: Name, place: Place = None, directory: Folder = None, receiver: ReceiverAt = RECEIVER, json: Json = False
) -> None:
    """Copy a knowledge base as it is now, into its own folder; changes and searches continue meanwhile.

    A snapshot of the same name is replaced.

    - `semlink kb snapshot monday` — then `semlink kb restore monday` brings it back
    """
    with opened(one_of(place, directory), receiver, writable=True) as knowledge_base:
        _show(knowledge_base.snapshot(name), json)


def restore(
    name: Name, place: Place = None, directory: Folder = None, receiver: ReceiverAt = RECEIVER, json: Json = False
) -> None:
    """Go back to a snapshot, in one step. Later changes are lost; the version keeps growing.

    With a folder it also repairs a damaged knowledge base.

    - `semlink kb restore monday`
    - `semlink kb restore monday out/kb` — while no receiver serves it
    """
    directory = one_of(place, directory)
    if directory is not None:
        load("receiver.knowledge_base:restore_snapshot")(directory, name)
    with opened(directory, receiver) as knowledge_base:
        if isinstance(knowledge_base, KnowledgeBaseClient):
            knowledge_base.restore(name)
        _show(describe(knowledge_base), json)


def verify(place: Place = None, directory: Folder = None, receiver: ReceiverAt = RECEIVER, json: Json = False) -> None:
    """Read everything on disk and compare it with its checksums: embeddings, thumbnails, pictures, index.

    Every damaged item is named. Pictures outside the knowledge base are compared as well. Ends with status 1 if there
    is a problem.

    - `semlink kb verify`
    - `semlink kb verify out/kb`
    """
    directory = one_of(place, directory)
    if directory is not None:
        found = load("receiver.knowledge_base:verify")(directory)
    else:
        with KnowledgeBaseClient(receiver) as knowledge_base:
            found = knowledge_base.verify()
    answer(json, found, lambda: _show_problems(found))
    if found.problems:
        raise typer.Exit(1)


def compact(place: Place = None, directory: Folder = None, receiver: ReceiverAt = RECEIVER, json: Json = False) -> None:
    """Rebuild the index and free the disk space of removed items; searches and changes continue meanwhile.

    - `semlink kb compact`
    """
    with opened(one_of(place, directory), receiver, writable=True) as knowledge_base:
        knowledge_base.compact()
        _show(describe(knowledge_base), json)


def _show_problems(found: Verification) -> None:
    for problem in found.problems:
        complain(problem, "red")
    count = len(found.problems)
    state = f"{count} problem{'s'[: count > 1]}" if count else "no problem found"
    out.print(f"{found.items} items and {found.indexes} indexes read: {state}")


def _show(record: KnowledgeBaseInfo | Snapshot, json: bool) -> None:
    answer(json, record, lambda: show_fields(asdict(record)))
