"""Settings over gRPC: read, set in part, reset; a burst sees the old ones or the new."""

import asyncio
import math

import grpc
import pytest

from protos.semlink.v1 import channel_pb2 as channel_pb
from protos.semlink.v1 import common_pb2 as common
from shared.phy import ChannelSettings
from shared.wire.channel import settings_from_wire
from tests.tools.proxy import START
from tests.tools.rpc import (
    make_burst,
    status_of,
)


async def test_settings_are_read_set_in_part_and_reset(air) -> None:
    _, _, stub = air
    started = await stub.GetChannel(channel_pb.GetChannelRequest())
    assert settings_from_wire(started) == ChannelSettings(**START)
    changed = await stub.SetChannel(channel_pb.SetChannelRequest(settings=common.ChannelSettings(snr_db=0.0)))
    assert settings_from_wire(changed) == ChannelSettings(**START).updated(snr_db=0.0)
    for _ in range(2):  # setting what is set changes nothing
        again = await stub.SetChannel(channel_pb.SetChannelRequest(settings=common.ChannelSettings(snr_db=0.0)))
        assert again == changed == await stub.GetChannel(channel_pb.GetChannelRequest())
    assert await stub.SetChannel(channel_pb.SetChannelRequest()) == changed
    assert await stub.ResetChannel(channel_pb.ResetChannelRequest()) == started
    assert await stub.ResetChannel(channel_pb.ResetChannelRequest()) == started


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"snr_db": 101.0}, "snr_db = 101.0"),
        ({"snr_db": math.nan}, "snr_db = nan"),
        ({"fading": 99}, "fading = 99"),
        ({"symbol_rate_hz": 0.5}, "symbol_rate_hz = 0.5"),
        ({"propagation_seconds": -1.0}, "propagation_seconds = -1.0"),
        ({"propagation_seconds": math.inf}, "propagation_seconds = inf"),
    ],
)
async def test_a_set_with_one_wrong_field_changes_nothing(air, wrong, named: str) -> None:
    _, _, stub = air
    before = await stub.GetChannel(channel_pb.GetChannelRequest())
    message = common.ChannelSettings(**({"seed": 1, "snr_db": 0.0} | wrong))
    code, text = await status_of(stub.SetChannel(channel_pb.SetChannelRequest(settings=message)))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert named in text
    assert await stub.GetChannel(channel_pb.GetChannelRequest()) == before


async def test_a_burst_sees_the_old_settings_or_the_new_never_a_mixture(air) -> None:
    _, link, stub = air
    sets = [{"snr_db": 0.0, "seed": 1}, {"snr_db": 20.0, "seed": 2}]
    seen: set[tuple[float, int]] = set()

    async def change() -> None:
        for number in range(60):
            await stub.SetChannel(channel_pb.SetChannelRequest(settings=common.ChannelSettings(**sets[number % 2])))

    async def send(start: int) -> None:
        for number in range(start, start + 60):
            report = (await link.exchange(make_burst(number))).channel
            seen.add((report.snr_db_asked, report.seed))

    await stub.SetChannel(channel_pb.SetChannelRequest(settings=common.ChannelSettings(**sets[0])))
    await asyncio.gather(change(), send(1000), send(2000), send(3000))
    assert seen == {(0.0, 1), (20.0, 2)}
