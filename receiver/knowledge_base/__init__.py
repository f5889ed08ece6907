"""The receiver's knowledge base: a store on SQLite, an index on FAISS, and what ties them together."""

from receiver.knowledge_base.build import BuildReport, build_knowledge_base
from receiver.knowledge_base.index import Device
from receiver.knowledge_base.knowledge_base import KnowledgeBase
from receiver.knowledge_base.records import Description, Item, Origin
from receiver.knowledge_base.writer import StoreWriter, write_store

__all__ = [
    "BuildReport",
    "Description",
    "Device",
    "Item",
    "KnowledgeBase",
    "Origin",
    "StoreWriter",
    "build_knowledge_base",
    "write_store",
]
