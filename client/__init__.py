"""The client library of SemLink.

    from semlink import SemLink

    with SemLink("127.0.0.1:50051") as link:
        delivery = link.send("cat.jpg", snr_db=5, fading="rayleigh", k=64)
        print(delivery.label, delivery.confidence, delivery.total_seconds)

It needs neither torch nor faiss. Errors are those of `shared.errors`.
"""

from client.async_client import AsyncSemLink
from client.channel_control import ChannelControl
from client.client import SemLink
from client.delivery import Delivery, Round
from client.description import TransmitterInfo
from client.knowledge_base import KnowledgeBaseClient
from client.options import ChannelOptions, SendOptions
from client.stream import Answer
from shared.errors import SemLinkError
from shared.frame.burst import ChannelReport, CodecSpec, Hit, Trace
from shared.frame.kb import Added, Found, Item, KnowledgeBaseInfo, NewItem
from shared.ledger import Entry, Kind
from shared.phy import ChannelSettings

__all__ = [
    "Added",
    "Answer",
    "AsyncSemLink",
    "ChannelControl",
    "ChannelOptions",
    "ChannelReport",
    "ChannelSettings",
    "CodecSpec",
    "Delivery",
    "Entry",
    "Found",
    "Hit",
    "Item",
    "Kind",
    "KnowledgeBaseClient",
    "KnowledgeBaseInfo",
    "NewItem",
    "Round",
    "SemLink",
    "SemLinkError",
    "SendOptions",
    "Trace",
    "TransmitterInfo",
]
