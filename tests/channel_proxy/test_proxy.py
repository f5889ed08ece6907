"""The channel proxy over real sockets: physics bit for bit, settings at once or not at all, bad bursts, replay."""

import asyncio
import math
from pathlib import Path

import grpc
import numpy as np
import pytest

from channel_proxy.service import ChannelService
from channel_proxy.settings import ProxySettings
from protos.semlink.v1 import common_pb2 as common
from protos.semlink.v1 import link_pb2 as pb
from shared.errors import Expired, InvalidInput, InvalidSetting, InvalidSymbols, SemLinkError, Unavailable
from shared.ledger import Kind
from shared.phy import ChannelSettings, Link
from shared.wire.failure import error_from_failure
from shared.wire.link import burst_from_wire, burst_to_wire
from tests.tools.proxy import START
from tests.tools.rpc import (
    FarEnd,
    echo,
    far_end,
    linked,
    make_burst,
    payload,
    process,
    ready,
    serving,
    to_channel,
    until,
)


def offline(burst, **changes):
    """What the channel must make of a burst, computed without any socket."""
    settings = ChannelSettings().updated(**START).updated(**changes)
    return Link.from_settings(settings).transmit(burst.symbols, burst.stream, burst.counter)


@pytest.mark.parametrize("size", [1, 256, 10_000])  # the last is computed off the loop
async def test_the_receiver_gets_what_the_channel_computes_bit_for_bit(air, size: int) -> None:
    far, link, _ = air
    burst = make_burst(5, symbols=payload(size), stream=2**64 - 1, counter=2**63)
    reception = await link.exchange(burst)
    expected = offline(burst)
    received = burst_from_wire(far.bursts[0])
    assert received.symbols.tobytes() == expected.y.tobytes()
    assert reception.channel is not None
    report = reception.channel
    assert (report.seed, report.stream, report.counter) == (11, 2**64 - 1, 2**63)
    assert (report.snr_db_asked, report.fading) == (3.0, "rayleigh")
    assert report.snr_db_achieved == expected.snr_db_achieved
    assert (report.signal_power, report.noise_power) == (expected.signal_power, expected.noise_power)
    assert report.gain == expected.gain


async def test_order_and_company_change_nothing(air) -> None:
    far, link, _ = air
    bursts = [make_burst(n, counter=n) for n in range(1, 41)]
    await asyncio.gather(*(link.exchange(burst) for burst in reversed(bursts)))
    together = {message.codec.mode: message.symbols for message in far.bursts}
    far.bursts.clear()
    for burst in bursts:
        await link.exchange(burst)
    assert {message.codec.mode: message.symbols for message in far.bursts} == together
    assert together == {burst.counter: offline(burst).y.tobytes() for burst in bursts}


async def test_a_restarted_proxy_repeats_itself(tmp_path: Path) -> None:
    far, seen = FarEnd(), []
    async with far_end(far) as receiver:
        for _ in range(2):
            flags = ("--receiver-address", receiver, "--seed", "11", "--snr-db", "0", "--fading", "rayleigh")
            with process("channel_proxy", tmp_path, *flags) as proxy:
                address = await asyncio.to_thread(lambda: proxy.address)
                await ready(address)
                async with linked(to_channel(address)) as link:
                    await link.exchange(make_burst(7, pilot_symbols=8))
            seen.append(far.bursts[-1].symbols)
    assert seen[0] == seen[1]
    assert seen[0] == offline(make_burst(7, pilot_symbols=8), snr_db=0.0).y.tobytes()


async def test_the_receiver_sees_no_settings_and_no_truth(air) -> None:
    far, link, _ = air
    await link.exchange(make_burst(1, channel_override={"snr_db": -2.0, "seed": 5}))
    (message,) = far.bursts
    assert not message.HasField("channel_override")
    assert not message.HasField("genie")
    assert message.symbols == offline(make_burst(1), snr_db=-2.0, seed=5).y.tobytes()


async def test_a_genie_speaks_only_when_perfect_csi_is_asked_for(air) -> None:
    far, link, _ = air
    burst = make_burst(1, csi="perfect")
    await link.exchange(burst)
    genie = burst_from_wire(far.bursts[0]).genie
    assert genie is not None
    assert genie.gain == offline(burst).gain
    assert genie.n0 == offline(burst).n0 == pytest.approx(10**-0.3)


async def test_a_genie_that_the_sender_brings_is_taken_away(air) -> None:
    far, link, _ = air
    message = burst_to_wire(make_burst(1))
    message.genie.CopyFrom(pb.Genie(gain=bytes(8), n0=1.0))
    await link._current_stream().exchange(message)
    assert not far.bursts[0].HasField("genie")


async def test_time_on_the_air_is_booked_as_emulated_and_not_waited_for(air) -> None:
    _, link, _ = air
    reception = await link.exchange(make_burst(1, pilot_symbols=8))
    entries = {entry.stage: entry for entry in reception.ledger}
    assert list(entries) == ["channel", "airtime", "propagation"]
    assert entries["airtime"].seconds == pytest.approx((256 + 8 + 16) / 1e5)
    assert entries["propagation"].seconds == 0.25
    assert [entry.kind for entry in entries.values()] == [Kind.MEASURED, Kind.EMULATED, Kind.EMULATED]
    assert entries["channel"].seconds > 0


BAD = [
    ({"symbols": payload() * np.float32(1.001)}, InvalidSymbols, "mean power 1.002"),
    ({"symbols": np.zeros(16, np.complex64)}, InvalidSymbols, "mean power 0:"),
    ({"symbols": payload() * np.float32(1e30)}, InvalidSymbols, "mean power"),
    ({"symbols": np.full(4, np.nan, np.complex64)}, InvalidSymbols, "NaN"),
    ({"symbols": np.full(4, np.inf, np.complex64)}, InvalidSymbols, "infinity"),
    ({"symbols": np.empty(0, np.complex64)}, InvalidSymbols, "at least 1 payload symbol"),
    ({"symbols": payload(1 << 17)}, InvalidSymbols, "at most 65536"),
    ({"csi": "pilot"}, InvalidSetting, "csi pilot with 0 pilots"),
    ({"top_k": 101}, InvalidSetting, "top_k = 101"),
    ({"timeout_seconds": math.nan}, InvalidInput, "timeout_seconds = nan"),
    ({"channel_override": {"snr_db": 101.0}}, InvalidSetting, "snr_db = 101.0"),
    ({"channel_override": {"snr_db": math.nan}}, InvalidSetting, "snr_db = nan"),
    ({"channel_override": {"snr_db": -math.inf}}, InvalidSetting, "snr_db = -inf"),
    ({"channel_override": {"symbol_rate_hz": 0.0}}, InvalidSetting, "symbol_rate_hz = 0.0"),
    ({"channel_override": {"propagation_seconds": 11.0}}, InvalidSetting, "propagation_seconds = 11.0"),
]


async def test_each_bad_burst_has_its_error_and_the_stream_goes_on(air) -> None:
    far, link, _ = air
    for number, (fields, kind, text) in enumerate(BAD, start=1):
        message = burst_to_wire(make_burst(number, **{k: v for k, v in fields.items() if k != "timeout_seconds"}))
        message.timeout_seconds = fields.get("timeout_seconds", 0)
        with pytest.raises(SemLinkError) as refused:
            await _failing(link, message)
        assert type(refused.value) is InvalidInput, fields  # the wire keeps the general kind
        assert issubclass(kind, InvalidInput)
        assert text in str(refused.value)
    wrong_fading = burst_to_wire(make_burst(50))
    wrong_fading.channel_override.fading = 99
    with pytest.raises(InvalidInput, match="fading = 99"):
        await _failing(link, wrong_fading)
    assert far.bursts == []
    assert (await link.exchange(make_burst(99))).burst_id == 99
    assert far.streams == 1


async def _failing(link, message: pb.Burst) -> None:
    """Past the near end's own check of the deadline."""
    answer = await link._current_stream().exchange(message)
    assert not answer.top
    raise error_from_failure(answer.failure)


async def test_a_burst_id_twice_is_refused_once_and_answered_once(air) -> None:
    far, link, _ = air
    far.open.clear()
    call = link._open_stream(link._channel)
    message = pb.Bursts(bursts=[burst_to_wire(make_burst(3))])
    await call.write(message)
    await until(lambda: bool(far.bursts))
    await call.write(message)
    (refused,) = (await call.read()).receptions
    assert (refused.burst_id, refused.failure.code) == (3, 3)
    assert "in flight already" in refused.failure.message
    far.open.set()
    assert (await call.read()).receptions[0].top[0].item_id == "item-3"
    await call.done_writing()
    assert await call.read() == grpc.aio.EOF


async def test_what_the_receiver_refuses_reaches_the_sender_as_it_is(air) -> None:
    far, link, _ = air
    far.answer = lambda burst: pb.Reception(
        burst_id=burst.burst_id, failure=common.Failure(code=9, message="other CLIP")
    )
    answer = await link._current_stream().exchange(burst_to_wire(make_burst(1)))
    assert (answer.failure.code, answer.failure.message) == (9, "other CLIP")
    far.answer = echo
    assert (await link.exchange(make_burst(2))).burst_id == 2


async def test_the_deadline_shrinks_on_the_way_and_is_kept(air) -> None:
    far, link, _ = air
    await link.exchange(make_burst(1, timeout_seconds=20.0))
    assert 0 < far.bursts[0].timeout_seconds < 20
    await link.exchange(make_burst(2))
    assert far.bursts[1].timeout_seconds == 0
    far.open.clear()
    message = burst_to_wire(make_burst(3, timeout_seconds=0.1))
    answer = await link._current_stream().exchange(message)  # the near end does not watch the clock: the proxy does
    assert answer.failure.code == grpc.StatusCode.DEADLINE_EXCEEDED.value[0]
    with pytest.raises(Expired):
        await link.exchange(make_burst(4, timeout_seconds=0.05))
    far.open.set()
    assert (await link.exchange(make_burst(5))).burst_id == 5


async def test_a_lost_receiver_is_unavailable_for_the_burst_and_not_for_the_stream(tmp_path: Path) -> None:
    async with far_end(FarEnd()) as receiver:
        pass
    settings = ProxySettings(receiver_address=receiver, grace_seconds=1, log_level="error")
    async with serving(ChannelService, settings, tmp_path) as address, linked(to_channel(address)) as link:
        answer = await link._current_stream().exchange(burst_to_wire(make_burst(1)))
        assert answer.failure.code == grpc.StatusCode.UNAVAILABLE.value[0]
        assert receiver in answer.failure.message
        stream = link._streams[0]
        async with far_end(FarEnd(), int(receiver.rpartition(":")[2])):
            async with asyncio.timeout(30):
                while True:
                    try:
                        assert (await link.exchange(make_burst(2))).burst_id == 2
                    except Unavailable:
                        await asyncio.sleep(0.05)
                    else:
                        break
        assert link._streams[0] is stream
