"""A proxy with its control."""

from pathlib import Path

import pytest

from channel_proxy.service import ChannelService
from channel_proxy.settings import ProxySettings
from client import ChannelControl
from protos.semlink.v1 import channel_pb2_grpc as channel_rpc
from tests.tools.proxy import START, proxy
from tests.tools.rpc import (
    FarEnd,
    dialled,
    far_end,
    linked,
    serving,
    to_channel,
)


@pytest.fixture
async def parts(tmp_path: Path):
    """(hop to a proxy, the receiver behind it, its service, the client's control)."""
    async with proxy(tmp_path, snr_db=7.0, seed=3) as (link, far, service):
        with ChannelControl(link.address) as control:
            yield link, far, service, control


@pytest.fixture
async def air(tmp_path: Path):
    """(the receiver behind the proxy, the hop to the proxy, a stub of its control)."""
    far = FarEnd()
    async with far_end(far) as receiver:
        settings = ProxySettings(receiver_address=receiver, grace_seconds=1, log_level="error", **START)
        async with (
            serving(ChannelService, settings, tmp_path) as address,
            linked(to_channel(address)) as link,
            dialled(address) as channel,
        ):
            yield far, link, channel_rpc.ChannelStub(channel)
