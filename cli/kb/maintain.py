"""`semlink kb snapshot`, `restore`, `verify`, `compact`: keep a knowledge base well."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.console import Json, ReceiverAt, err, out, print_json
from cli.heavy import heavy
from cli.kb.common import Folder, open_folder, show_fields
from client.connection import RECEIVER

Name = Annotated[str, typer.Argument(help="Letters, digits and any of . _ -")]


def snapshot(name: Name, directory: Folder = None, receiver: ReceiverAt = RECEIVER, json: Json = False) -> None:
    """Copy a knowledge base as it is now, into its own folder; changes and searches go on meanwhile.

    A snapshot of the same name is replaced.

    - `semlink kb snapshot monday` — then `semlink kb restore monday` brings it back
    """
    if directory is not None:
        with open_folder(directory, writable=True) as folder:
            made = asdict(folder.snapshot(name))
    else:
        with _client(receiver) as knowledge_base:
            made = asdict(knowledge_base.snapshot(name))
    _show(made | {"path": str(made["path"])}, json)


def restore(name: Name, directory: Folder = None, receiver: ReceiverAt = RECEIVER, json: Json = False) -> None:
    """Go back to a snapshot, in one step. What was changed since is gone; the version goes on growing.

    With --kb it also brings a damaged knowledge base back.

    - `semlink kb restore monday`
    - `semlink kb restore monday --kb out/kb` — while no receiver serves it
    """
    if directory is not None:
        with heavy():
            from receiver.knowledge_base import restore_snapshot  # noqa: PLC0415

        restore_snapshot(directory, name)
        with open_folder(directory) as folder:
            found = asdict(folder.description)
    else:
        with _client(receiver) as knowledge_base:
            found = knowledge_base.restore(name).to_json()
    _show(found, json)


def verify(directory: Folder = None, receiver: ReceiverAt = RECEIVER, json: Json = False) -> None:
    """Read everything on the disk and prove that it is what was stored: embeddings, thumbnails, pictures, index.

    Each item that is damaged is named. Pictures that stayed outside are compared as well. Ends with status 1 if
    something is wrong.

    - `semlink kb verify`
    - `semlink kb verify --kb out/kb`
    """
    found = _verified(directory, receiver)
    if json:
        print_json(found)
    else:
        for problem in found["problems"]:
            err.print(problem, style="red", markup=False, highlight=False, soft_wrap=True)
        state = f"{len(found['problems'])} problems" if found["problems"] else "all is whole"
        out.print(f"{found['items']} items and {found['indexes']} indexes read: {state}")
    if found["problems"]:
        raise typer.Exit(1)


def compact(directory: Folder = None, receiver: ReceiverAt = RECEIVER, json: Json = False) -> None:
    """Build the index anew and give back the disk that removed items took; searches and changes go on meanwhile.

    - `semlink kb compact`
    """
    if directory is not None:
        with open_folder(directory, writable=True) as folder:
            folder.compact()
            found = asdict(folder.description)
    else:
        with _client(receiver) as knowledge_base:
            found = knowledge_base.compact().to_json()
    _show(found, json)


def _verified(directory: Path | None, receiver: str) -> dict[str, Any]:
    if directory is None:
        with _client(receiver) as knowledge_base:
            return asdict(knowledge_base.verify())
    with heavy():
        from receiver.knowledge_base import verify as verify_folder  # noqa: PLC0415

    return asdict(verify_folder(directory))


def _client(address: str) -> Any:
    from client.knowledge_base import KnowledgeBaseClient  # noqa: PLC0415

    return KnowledgeBaseClient(address)


def _show(fields: dict[str, Any], json: bool) -> None:
    if json:
        print_json(fields)
    else:
        show_fields(fields)
