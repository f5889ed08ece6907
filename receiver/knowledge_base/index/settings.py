"""Settings of the index engine."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Device = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True)
class EngineSettings:
    """Which engine, where it runs, and its search parameters.

    name: as in the table of engines, or auto: what `semlink kb tune` chose, else by the number of items
    device: auto is a GPU where FAISS sees one and the engine has a part for it
    threads: at most so many for one search; small searches take one
    uri: of a Milvus, a file or http://HOST:PORT; other engines take none
    collection: in that Milvus; the knowledge base names one after its store
    parameters: of the search, such as {"nprobe": 16}; what is not named keeps its default
    mapped_above_bytes: an index file larger than this stays on disk, mapped into memory; None: half of the memory
    """

    name: str = "auto"
    device: Device = "auto"
    threads: int = 1
    uri: str | None = None
    collection: str | None = None
    parameters: Mapping[str, int] = field(default_factory=dict)
    mapped_above_bytes: int | None = None
