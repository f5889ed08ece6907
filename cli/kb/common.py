"""What the commands share: where a knowledge base is, and how one is shown."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.console import out
from cli.heavy import heavy

if TYPE_CHECKING:
    from receiver.knowledge_base import KnowledgeBase

Folder = Annotated[
    Path | None,
    typer.Option("--kb", metavar="DIR", help="A knowledge base on disk that no receiver serves; else the receiver's."),
]


def open_folder(directory: Path, writable: bool = False) -> "KnowledgeBase":
    """A knowledge base on disk, without a receiver."""
    with heavy():
        from receiver.knowledge_base import KnowledgeBase  # noqa: PLC0415

    return KnowledgeBase.open(directory, writable=writable)


def show_fields(fields: dict[str, Any]) -> None:
    """Names and values, one to a line."""
    width = max(map(len, fields), default=0) + 2
    for name, value in fields.items():
        out.print(f"{name.replace('_', ' '):{width}}{value}", markup=False, highlight=False, soft_wrap=True)
