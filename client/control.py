"""Inspection: the knowledge base. The channel's control stands in `client.channel_control`."""

from dataclasses import dataclass
from typing import Self

import grpc
import numpy as np
import numpy.typing as npt

from client.connection import RECEIVER, open_channel, rpc_errors
from client.description import KnowledgeBaseInfo, read_knowledge_base
from client.options import checked_timeout
from protos.semlink.v1 import knowledge_base_pb2 as kb_api
from protos.semlink.v1.knowledge_base_pb2_grpc import KnowledgeBaseStub


class Client:
    """A connection that closes with its context."""

    def __init__(self, address: str, timeout: float) -> None:
        self.address = address
        self._timeout = checked_timeout(timeout)
        self._channel: grpc.Channel = open_channel(address)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()


@dataclass(frozen=True)
class Item:
    """One item of a knowledge base.

    thumbnail: a WebP file, at most 96 pixels a side. embedding: [dim], float32, unit length.
    """

    item_id: str
    label: str
    thumbnail: bytes
    embedding: npt.NDArray[np.float32]


class KnowledgeBaseClient(Client):
    """Looks into a running receiver's knowledge base."""

    def __init__(self, address: str = RECEIVER, timeout: float = 10.0) -> None:
        super().__init__(address, timeout)
        self._stub = KnowledgeBaseStub(self._channel)

    def describe(self) -> KnowledgeBaseInfo:
        """What it was built from, how much it holds, and with which CLIP."""
        with rpc_errors(self.address):
            message = self._stub.Describe(kb_api.DescribeKnowledgeBaseRequest(), timeout=self._timeout)
        return read_knowledge_base(message)

    def get_item(self, item_id: str) -> Item:
        """One item with its thumbnail. Raises NotFound for an id that is not there."""
        with rpc_errors(self.address):
            item = self._stub.GetItem(kb_api.GetItemRequest(item_id=item_id), timeout=self._timeout)
        return Item(item.item_id, item.label, item.thumbnail, np.frombuffer(item.embedding, dtype="<f4"))
