"""Control of the channel."""

from typing import Unpack

from client.connection import CHANNEL, Client, rpc_errors
from client.options import ChannelOptions
from protos.semlink.v1 import channel_pb2 as channel_api
from protos.semlink.v1.channel_pb2_grpc import ChannelStub
from shared.channel import ChannelSettings
from shared.rpc.channel_wire import override_to_wire, settings_from_wire


class ChannelControl(Client):
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
            return settings_from_wire(self._stub.GetChannel(channel_api.GetChannelRequest(), timeout=self._timeout))

    def set(self, **settings: Unpack[ChannelOptions]) -> ChannelSettings:
        """Change some settings, all at once, and return all of them; see `ChannelOptions`."""
        request = channel_api.SetChannelRequest(settings=override_to_wire(settings))
        with rpc_errors(self.address):
            return settings_from_wire(self._stub.SetChannel(request, timeout=self._timeout))

    def reset(self) -> ChannelSettings:
        """Back to the settings that the channel was started with."""
        with rpc_errors(self.address):
            return settings_from_wire(self._stub.ResetChannel(channel_api.ResetChannelRequest(), timeout=self._timeout))
