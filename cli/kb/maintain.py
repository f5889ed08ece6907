"""`semlink kb snapshot`, `restore`, `verify`, `compact`: maintain a knowledge base."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.console import answer, complain, out, show_fields
from cli.kb.common import Folder, open_folder
from cli.lazy import load
from cli.options import Json, ReceiverAt
from client.connection import RECEIVER
from client.knowledge_base import KnowledgeBaseClient

Name = Annotated[str, typer.Argument(help="Letters, digits and any of . _ -")]


def snapshot(name: Name, directory: Folder = None, receiver: ReceiverAt = RECEIVER, json: Json = False) -> None:
    """Copy a knowledge base as it is now, into its own folder; changes and searches continue meanwhile.

    A snapshot of the same name is replaced.

    - `semlink kb snapshot monday` — then `semlink kb restore monday` brings it back
    """
    if directory is not None:
        with open_folder(directory, writable=True) as folder:
            made = asdict(folder.snapshot(name))
    else:
        with KnowledgeBaseClient(receiver) as knowledge_base:
            made = asdict(knowledge_base.snapshot(name))
    _show(made | {"path": str(made["path"])}, json)


def restore(name: Name, directory: Folder = None, receiver: ReceiverAt = RECEIVER, json: Json = False) -> None:
    """Go back to a snapshot, in one step. Later changes are lost; the version keeps growing.

    With --kb it also repairs a damaged knowledge base.

    - `semlink kb restore monday`
    - `semlink kb restore monday --kb out/kb` — while no receiver serves it
    """
    if directory is not None:
        load("receiver.knowledge_base:restore_snapshot")(directory, name)
        with open_folder(directory) as folder:
            found = asdict(folder.description)
    else:
        with KnowledgeBaseClient(receiver) as knowledge_base:
            found = knowledge_base.restore(name).to_json()
    _show(found, json)


def verify(directory: Folder = None, receiver: ReceiverAt = RECEIVER, json: Json = False) -> None:
    """Read everything on disk and compare it with its checksums: embeddings, thumbnails, pictures, index.

    Every damaged item is named. Pictures outside the knowledge base are compared as well. Ends with status 1 if there
    is a problem.

    - `semlink kb verify`
    - `semlink kb verify --kb out/kb`
    """
    found = _verified(directory, receiver)
    answer(json, found, lambda: _show_problems(found))
    if found["problems"]:
        raise typer.Exit(1)


def compact(directory: Folder = None, receiver: ReceiverAt = RECEIVER, json: Json = False) -> None:
    """Rebuild the index and free the disk space of removed items; searches and changes continue meanwhile.

    - `semlink kb compact`
    """
    if directory is not None:
        with open_folder(directory, writable=True) as folder:
            folder.compact()
            found = asdict(folder.description)
    else:
        with KnowledgeBaseClient(receiver) as knowledge_base:
            found = knowledge_base.compact().to_json()
    _show(found, json)


def _verified(directory: Path | None, receiver: str) -> dict[str, Any]:
    if directory is None:
        with KnowledgeBaseClient(receiver) as knowledge_base:
            return asdict(knowledge_base.verify())
    return asdict(load("receiver.knowledge_base:verify")(directory))


def _show_problems(found: dict[str, Any]) -> None:
    for problem in found["problems"]:
        complain(problem, "red")
    state = f"{len(found['problems'])} problems" if found["problems"] else "no problem found"
    out.print(f"{found['items']} items and {found['indexes']} indexes read: {state}")


def _show(fields: dict[str, Any], json: bool) -> None:
    answer(json, fields, lambda: show_fields(fields))
