"""The writer of a knowledge base in a process of its own: it does what it is told, line by line.

    python -m tests.tools.knowledge_base_writer DIR ENGINE MERGE_ITEMS

A line of standard input is a piece of Python about `kb` and `new`; "done VERSION" on standard output acknowledges it.
"""

import sys

from receiver.knowledge_base import EngineSettings, ItemRecord, KnowledgeBase, knowledge_base
from tests.tools.knowledge_base import vectors


def new(count: int, seed: int, label: str = "new") -> list[ItemRecord]:
    """Items of the vectors of a seed; their ids tell both."""
    return [ItemRecord(f"new-{seed}-{n}", label, one) for n, one in enumerate(vectors(count, seed=seed))]


def main(directory: str, engine: str, merge_items: str) -> None:
    """Serve until standard input ends."""
    knowledge_base.MERGE_ITEMS = int(merge_items)
    with KnowledgeBase.open(directory, EngineSettings(name=engine), writable=True) as kb:
        print("done", kb.view.head.version, flush=True)
        for line in sys.stdin:
            exec(line, {"kb": kb, "new": new, "EngineSettings": EngineSettings})
            print("done", kb.view.head.version, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
