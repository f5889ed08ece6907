"""The receiver's knowledge base: a store on SQLite, an index of many kinds, and what ties them together."""

from receiver.knowledge_base.build import BuildReport, build_knowledge_base
from receiver.knowledge_base.durable import HasWriter, WriterLock
from receiver.knowledge_base.engines.settings import Device, EngineSettings
from receiver.knowledge_base.knowledge_base import KnowledgeBase
from receiver.knowledge_base.originals import read_original
from receiver.knowledge_base.prepare import UNREADABLE, Prepared, prepare
from receiver.knowledge_base.records import Description, Item, Listed, NewItem, Origin
from receiver.knowledge_base.snapshots import Snapshot, restore_snapshot
from receiver.knowledge_base.staging import StagedStore, write_store
from receiver.knowledge_base.verify import Verification, verify
from receiver.knowledge_base.view import View

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
