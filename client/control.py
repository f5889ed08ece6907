"""Control and inspection: the channel's settings, the knowledge base."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self, Unpack

import grpc

from client.connection import CHANNEL, RECEIVER, open_channel, rpc_errors
from client.delivery import finite
from client.description import KnowledgeBaseInfo, read_knowledge_base
from client.options import FADING, ChannelOptions, channel_settings, checked_timeout, name_of
from protos.semlink.v1 import common_pb2 as pb
from protos.semlink.v1 import link_pb2 as api
from protos.semlink.v1.link_pb2_grpc import ChannelStub, KnowledgeBaseStub

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


class _Client:
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
class ChannelSettings:
    """The channel as it is now. snr_db: average Es/N0, infinite for no noise. fading: "none" or "rayleigh"."""

    snr_db: float
    fading: str
    seed: int
    symbol_rate_hz: float
    propagation_seconds: float

    def to_json(self) -> dict[str, Any]:
        """A strict JSON object: an infinite SNR (no noise) is null."""
        return asdict(self) | {"snr_db": finite(self.snr_db)}


class ChannelControl(_Client):
    """Reads and changes the settings of a running channel.

    with ChannelControl() as channel:
        channel.set(snr_db=0, fading="rayleigh")
    """

    def __init__(self, address: str = CHANNEL, timeout: float = 10.0) -> None:
        super().__init__(address, timeout)
        self._stub = ChannelStub(self._channel)

    def get(self) -> ChannelSettings:
        """The current settings."""
        with rpc_errors(self.address):
            return _read_settings(self._stub.GetChannel(api.GetChannelRequest(), timeout=self._timeout))

    def set(self, **settings: Unpack[ChannelOptions]) -> ChannelSettings:
        """Change some settings, all at once, and return all of them; see `ChannelOptions`."""
        request = api.SetChannelRequest(settings=channel_settings(settings))
        with rpc_errors(self.address):
            return _read_settings(self._stub.SetChannel(request, timeout=self._timeout))

    def reset(self) -> ChannelSettings:
        """Back to the settings that the channel was started with."""
        with rpc_errors(self.address):
            return _read_settings(self._stub.ResetChannel(api.ResetChannelRequest(), timeout=self._timeout))


@dataclass(frozen=True)
class Item:
    """One item of a knowledge base.

    thumbnail: a WebP file, at most 96 pixels a side. embedding: [dim], float32, unit length.
    """

    item_id: str
    label: str
    thumbnail: bytes
    embedding: "npt.NDArray[np.float32]"


class KnowledgeBaseClient(_Client):
    """Looks into a running receiver's knowledge base."""

    def __init__(self, address: str = RECEIVER, timeout: float = 10.0) -> None:
        super().__init__(address, timeout)
        self._stub = KnowledgeBaseStub(self._channel)

    def describe(self) -> KnowledgeBaseInfo:
        """What it was built from, how much it holds, and with which CLIP."""
        with rpc_errors(self.address):
            message = self._stub.Describe(api.DescribeKnowledgeBaseRequest(), timeout=self._timeout)
        return read_knowledge_base(message)

    def get_item(self, item_id: str) -> Item:
        """One item with its thumbnail. Raises NotFound for an id that is not there."""
        import numpy as np  # noqa: PLC0415 - only where an embedding is read

        with rpc_errors(self.address):
            item = self._stub.GetItem(api.GetItemRequest(item_id=item_id), timeout=self._timeout)
        return Item(item.item_id, item.label, item.thumbnail, np.frombuffer(item.embedding, dtype="<f4"))


def _read_settings(message: pb.ChannelSettings) -> ChannelSettings:
    return ChannelSettings(
        snr_db=message.snr_db,
        fading=name_of(message.fading, FADING),
        seed=message.seed,
        symbol_rate_hz=message.symbol_rate_hz,
        propagation_seconds=message.propagation_seconds,
    )
