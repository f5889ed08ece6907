"""A channel proxy in this loop, between a hop and a fake receiver."""

from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from channel_proxy.service import ChannelService
from channel_proxy.settings import ProxySettings
from tests.tools.rpc import (
    FarEnd,
    far_end,
    linked,
    remembering,
    serving,
    to_channel,
)


@asynccontextmanager
async def proxy(directory: Path, far: FarEnd | None = None, **settings: Any):
    """A proxy in this loop before a fake receiver. Yields the hop to it, the receiver, and the service."""
    receiver = far or FarEnd()
    async with far_end(receiver) as address:
        chosen = ProxySettings(receiver_address=address, grace_seconds=1, log_level="error", **settings)
        kind, found = remembering(ChannelService)
        async with serving(kind, chosen, directory) as at, linked(to_channel(at)) as link:
            yield link, receiver, found[0]
            receiver.open.set()


START = {"snr_db": 3.0, "fading": "rayleigh", "seed": 11, "symbol_rate_hz": 1e5, "propagation_seconds": 0.25}
