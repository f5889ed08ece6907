"""The receiver's knowledge base: a store on SQLite, an index of many kinds, and what ties them together."""

from receiver.knowledge_base.index.settings import Device, EngineSettings
from receiver.knowledge_base.ingest.build import BuildReport, build_knowledge_base
from receiver.knowledge_base.ingest.originals import read_original
from receiver.knowledge_base.ingest.pictures import UNREADABLE, Prepared, prepare
from receiver.knowledge_base.knowledge_base import KnowledgeBase
from receiver.knowledge_base.records import Description, Item, Listed, NewItem, Origin
from receiver.knowledge_base.store.snapshots import Snapshot, restore_snapshot
from receiver.knowledge_base.store.staging import StagedStore, write_store
from receiver.knowledge_base.verify import Verification, verify
from receiver.knowledge_base.view import View
from shared.files import HasWriter, WriterLock

__all__ = [
    "UNREADABLE",
    "BuildReport",
    "Description",
    "Device",
    "EngineSettings",
    "HasWriter",
    "Item",
    "KnowledgeBase",
    "Listed",
    "NewItem",
    "Origin",
    "Prepared",
    "Snapshot",
    "StagedStore",
    "Verification",
    "View",
    "WriterLock",
    "build_knowledge_base",
    "prepare",
    "read_original",
    "restore_snapshot",
    "verify",
    "write_store",
]
