"""The channel proxy as gRPC services: the air and its control."""

from collections.abc import AsyncIterator
from typing import Any

import grpc

from channel_proxy.control import ChannelControl
from channel_proxy.relay import Air
from channel_proxy.settings import ProxySettings
from protos.semlink.v1 import channel_pb2 as api
from protos.semlink.v1 import channel_pb2_grpc as rpc
from protos.semlink.v1 import common_pb2 as common
from protos.semlink.v1 import link_pb2 as pb
from protos.semlink.v1.link_pb2_grpc import ReceiverStub
from shared.burst import Burst
from shared.rpc.burst_link import BurstLink
from shared.rpc.channel_wire import override_from_wire, report_to_wire, settings_to_wire
from shared.rpc.exchange import answer_burst
from shared.rpc.server import Service
from shared.rpc.status import answers_errors
from shared.rpc.streams import StreamAnswerer
from shared.rpc.wire import burst_to_wire, entries_to_wire

Context = grpc.aio.ServicerContext[Any, Any]


class ChannelService(Service, rpc.ChannelServicer):
    """Relays bursts to the receiver and takes settings."""

    name = "channel_proxy"
    rpc_names = ("semlink.v1.Channel",)

    def __init__(self, settings: ProxySettings) -> None:
        self._settings = settings
        self._control = ChannelControl(settings.channel())
        self._streams = StreamAnswerer(settings.max_in_flight)
        self._air = Air(self._control)
        self._hop: BurstLink | None = None

    def register(self, server: grpc.aio.Server) -> None:
        """Add the servicer."""
        rpc.add_ChannelServicer_to_server(self, server)

    async def start(self) -> None:
        """Make the hop; it connects at the first burst."""
        settings = self._settings
        self._hop = BurstLink(
            settings.receiver_address, lambda channel: ReceiverStub(channel).Receive(), settings.max_message_bytes
        )

    def drain(self) -> None:
        """Take no further burst."""
        self._streams.drain()

    async def stop(self) -> None:
        """Close the hop."""
        if self._hop is not None:
            await self._hop.close()

    async def Relay(self, request_iterator: AsyncIterator[pb.Burst], context: Context) -> AsyncIterator[pb.Reception]:
        """The air."""
        async for reception in self._streams.map_unordered(request_iterator, self._answer):
            yield reception

    async def _answer(self, message: pb.Burst) -> pb.Reception:
        return await answer_burst(message, self._relay)

    async def _relay(self, burst: Burst) -> pb.Reception:
        """The receiver's answer, passed on as it is, with what the channel has to tell."""
        assert self._hop is not None, "the gate lets no call in before start"
        passed = await self._air.carry(burst)
        reception = await self._hop.exchange_message(burst_to_wire(passed.burst))
        reception.channel.CopyFrom(report_to_wire(passed.report))
        reception.ledger.extend(entries_to_wire(passed.ledger))
        return reception

    @answers_errors
    async def GetChannel(self, request: api.GetChannelRequest, context: Context) -> common.ChannelSettings:
        """The settings in force."""
        return settings_to_wire(self._control.settings)

    @answers_errors
    async def SetChannel(self, request: api.SetChannelRequest, context: Context) -> common.ChannelSettings:
        """Change some settings, all at once."""
        return settings_to_wire(self._control.update(override_from_wire(request.settings)))

    @answers_errors
    async def ResetChannel(self, request: api.ResetChannelRequest, context: Context) -> common.ChannelSettings:
        """Back to the settings of the start."""
        return settings_to_wire(self._control.reset())
