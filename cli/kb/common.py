"""Where a knowledge base is: on disk, or at a receiver."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.lazy import load

if TYPE_CHECKING:
    from receiver.knowledge_base import KnowledgeBase

Folder = Annotated[
    Path | None,
    typer.Option("--kb", metavar="DIR", help="A knowledge base on disk that no receiver serves; else the receiver's."),
]
Copy = Annotated[bool, typer.Option("--copy", help="Keep the pictures' files too, not only thumbnails.")]


def open_folder(directory: Path, writable: bool = False) -> "KnowledgeBase":
    """A knowledge base on disk, without a receiver. Needs faiss, so it is loaded only when it is asked for."""
    opened: KnowledgeBase = load("receiver.knowledge_base:KnowledgeBase").open(directory, writable=writable)
    return opened
