"""The client library of SemLink.

    from client import SemLink

    with SemLink("127.0.0.1:50051") as link:
        delivery = link.send("cat.jpg", snr_db=5, fading="rayleigh", k=64)
        print(delivery.label, delivery.confidence, delivery.total_seconds)

It needs neither torch nor faiss. Errors are those of `shared.errors`.
"""

from client.async_client import AsyncSemLink
from client.channel_control import ChannelControl
from client.channel_options import ChannelOptions
from client.client import SemLink
from client.knowledge_base import KnowledgeBaseClient
from client.options import SendOptions
from client.stream import Answer
from shared.errors import SemLinkError
from shared.frame.burst import CodecSpec
from shared.frame.delivery import Delivery, HarqRound, TransmitterInfo
from shared.frame.kb import Added, Found, Item, KnowledgeBaseInfo, NewItem
from shared.frame.question import Asked
from shared.frame.reception import ChannelReport, Hit, Trace
from shared.ledger import Entry, Kind
from shared.phy import ChannelSettings
from shared.rpc.dial import Security

__all__ = [
    "Added",
    "Answer",
    "Asked",
    "AsyncSemLink",
    "ChannelControl",
    "ChannelOptions",
    "ChannelReport",
    "ChannelSettings",
    "CodecSpec",
    "Delivery",
    "Entry",
    "Found",
    "HarqRound",
    "Hit",
    "Item",
    "Kind",
    "KnowledgeBaseClient",
    "KnowledgeBaseInfo",
    "NewItem",
    "Security",
    "SemLink",
    "SemLinkError",
    "SendOptions",
    "Trace",
    "TransmitterInfo",
]
