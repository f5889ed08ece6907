"""Knowledge bases of drawn vectors, and what tests ask of them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from receiver.knowledge_base import EngineSettings, ItemRecord, KnowledgeBase, Origin, write_store
from shared.types import Floats

ORIGIN = Origin(source="synthetic", clip="fake-clip", clip_fingerprint="c0ffee")
ENGINES = ["flat", "ivf-sq8"]
HOSTILE = [
    "猫/ねこ 🐈‍⬛.png",
    "e\u0301 and é are two",
    "'; DROP TABLE items; --",
    "../../../etc/passwd",
    "with\x00nul",
    "line\nbreak\ttab\x1b[31m",
    " ",
    '%s {0} \\ "quoted" `$(reboot)`',
    "\u202egnp.exe",
    "x" * 4096,
]


def vectors(count: int, seed: int = 0) -> Floats:
    """[count, 512], float32, unit length."""
    drawn = np.random.default_rng(seed).normal(size=(count, 512))
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


def fill(directory: Path, embeddings: Floats, prefix: str = "item", labels: Sequence[str] | None = None) -> None:
    """Write a knowledge base of ready embeddings with 7 labels."""
    with write_store(directory, ORIGIN) as writer:
        for number, embedding in enumerate(embeddings):
            label = labels[number] if labels else f"label {number % 7}"
            writer.add(f"{prefix}-{number}", label, embedding, thumbnail=f"webp {number}".encode())


def new(embeddings: Floats, prefix: str = "new", label: str = "new") -> list[ItemRecord]:
    """Items to add, named by their number."""
    return [ItemRecord(f"{prefix}-{n}", label, one, thumbnail=b"webp") for n, one in enumerate(embeddings)]


def found_ids(kb: KnowledgeBase, queries: Floats, top_k: int = 1) -> list[list[str]]:
    """Ids of the nearest items of each query."""
    return [[hit.item_id for hit in hits] for hits in kb.search(queries, top_k)]


def reopened(kb: KnowledgeBase) -> KnowledgeBase:
    """The same knowledge base, closed and opened again."""
    kb.close()
    return KnowledgeBase.open(kb.view.store.path.parent, EngineSettings(name=kb.description.engine))
