"""Where a knowledge base is: on disk, or at a receiver."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.lazy import load
from client.knowledge_base import KnowledgeBaseClient
from shared.frame.kb import KnowledgeBaseInfo

if TYPE_CHECKING:
    from receiver.knowledge_base import KnowledgeBase

Folder = Annotated[
    Path | None,
    typer.Option("--kb", metavar="DIR", help="A knowledge base on disk that no receiver serves; else the receiver's."),
]
Copy = Annotated[bool, typer.Option("--copy", help="Keep the pictures' files too, not only thumbnails.")]


def opened(directory: Path | None, receiver: str, writable: bool = False) -> "KnowledgeBase | KnowledgeBaseClient":
    """The knowledge base in a folder, without a receiver, or the receiver's. A folder needs faiss, loaded only then."""
    if directory is None:
        return KnowledgeBaseClient(receiver)
    folder: KnowledgeBase = load("receiver.knowledge_base:KnowledgeBase").open(directory, writable=writable)
    return folder


def describe(knowledge_base: "KnowledgeBase | KnowledgeBaseClient") -> KnowledgeBaseInfo:
    """What it was built from, how much it holds, and with which CLIP."""
    if isinstance(knowledge_base, KnowledgeBaseClient):
        return knowledge_base.describe()
    return knowledge_base.description
