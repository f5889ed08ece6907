"""Where a knowledge base is: on disk, or at a receiver."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.lazy import load
from client.knowledge_base import KnowledgeBaseClient
from shared.errors import InvalidSetting
from shared.frame.kb import KnowledgeBaseInfo

if TYPE_CHECKING:
    from receiver.knowledge_base import KnowledgeBase

Folder = Annotated[
    Path | None,
    typer.Option("--kb", metavar="DIR", help="The same as [DIR]."),
]
Place = Annotated[
    Path | None, typer.Argument(metavar="[DIR]", help="A knowledge base on disk; without it the receiver's.")
]
Copy = Annotated[bool, typer.Option("--copy", help="Keep the pictures' files too, not only thumbnails.")]


def one_of(place: Path | None, option: Path | None) -> Path | None:
    """The folder that was named, as an argument or with --kb. Raises InvalidSetting for two."""
    if place is not None and option is not None and place != option:
        raise InvalidSetting(f"{place} and --kb {option}: name one knowledge base")
    return place or option


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
