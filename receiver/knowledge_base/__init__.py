"""The receiver's knowledge base: a store on SQLite, a nearest-neighbour index derived from it, and their operations.

    knowledge_base     the class that services use: locks, changes, background merging
    replica | snapshots     a reader that follows the writer | copies, and going back to one
    verify             reads and checks everything on the disk
    ingest             builds a store from pictures or embeddings, and lays its index beside it
    load               from the files to the first view
    view               an immutable state: search, and the next state after a change
    index              engines, their files, the delta of what came since
    store              the SQLite file: schema, checksums, reading, writing, the writer lock
    records            plain values

Each imports only from below (a contract in .importlinter). Snapshots stand above `verify` and not in `store`, since a
restore verifies the copy first; staging stands in `ingest`, since a build ends with an index.
"""

from receiver.knowledge_base.index.settings import EngineSettings
from receiver.knowledge_base.ingest.build import BuildReport, Duplicates, build_knowledge_base
from receiver.knowledge_base.ingest.pictures import read_original
from receiver.knowledge_base.ingest.staging import write_store
from receiver.knowledge_base.knowledge_base import KnowledgeBase
from receiver.knowledge_base.records import ItemRecord, Origin
from receiver.knowledge_base.snapshots import list_snapshots, remove_snapshot, restore_snapshot
from receiver.knowledge_base.store.lock import HasWriter, WriterLock
from receiver.knowledge_base.verify import verify
from receiver.knowledge_base.view import View

__all__ = [
    "BuildReport",
    "Duplicates",
    "EngineSettings",
    "HasWriter",
    "ItemRecord",
    "KnowledgeBase",
    "Origin",
    "View",
    "WriterLock",
    "build_knowledge_base",
    "list_snapshots",
    "read_original",
    "remove_snapshot",
    "restore_snapshot",
    "verify",
    "write_store",
]
