"""`python -m lab.bench.forwarder`: the channel proxy without a channel, what its benchmark compares it with.

The same server, streams and hop; bursts are passed on unread, and answers as they come.
"""

from typing import Any

from channel_proxy.service import ChannelService
from channel_proxy.settings import ProxySettings
from shared.rpc.main import main


class Forwarder(ChannelService):
    """Only forwards."""

    async def _answer(self, message: Any) -> Any:
        return await self._hop.exchange_message(message)


if __name__ == "__main__":
    main("python -m lab.bench.forwarder", ProxySettings, Forwarder)
