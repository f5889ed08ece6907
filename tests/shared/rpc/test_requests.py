"""What cannot be read, and what holds too much, is the caller's error: one line, and no other request suffers."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import grpc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from channel_proxy.service import ChannelService
from channel_proxy.settings import ProxySettings
from protos.semlink.v1 import channel_pb2 as api
from protos.semlink.v1 import knowledge_base_pb2 as kb
from protos.semlink.v1 import link_pb2 as pb
from protos.semlink.v1 import transmitter_pb2 as tx
from protos.semlink.v1.channel_pb2_grpc import ChannelStub
from shared.errors import InvalidInput
from shared.wire.limits import LIMITS, WHOLE, check_bytes, check_limits
from shared.wire.link import burst_to_wire
from tests.tools.rpc import FarEnd, dialled, far_end, make_burst, process, serving, status_of, until

GARBAGE = [b"\xff" * 10, b"\x08", b"\n\xff\xff\xff\xff\x0f", b"PNG"]
SERVICES = [file.services_by_name.values() for file in (api.DESCRIPTOR, kb.DESCRIPTOR, pb.DESCRIPTOR, tx.DESCRIPTOR)]
METHODS = [method for services in SERVICES for service in services for method in service.methods]


@pytest.fixture
async def proxy(tmp_path: Path) -> AsyncIterator[tuple[grpc.aio.Channel, FarEnd]]:
    """Bytes to a channel proxy, and the receiver behind it."""
    far = FarEnd()
    async with far_end(far) as receiver:
        own = ProxySettings(receiver_address=receiver, grace_seconds=1, log_level="error", max_message_bytes=8 << 20)
        async with serving(ChannelService, own, tmp_path) as address, dialled(address) as channel:
            yield channel, far


@pytest.mark.parametrize("garbage", GARBAGE)
async def test_bytes_that_are_no_message_are_the_callers_error(proxy, garbage: bytes) -> None:
    channel, _ = proxy
    others = [
        ("grpc.health.v1.Health", "Check", False),
        ("grpc.reflection.v1alpha.ServerReflection", "ServerReflectionInfo", True),
    ]
    own = [
        (m.containing_service.full_name, m.name, m.client_streaming)
        for m in api.DESCRIPTOR.services_by_name["Channel"].methods
    ]
    with capture_logs() as lines:
        for service, name, streams in own + others:
            kind = channel.stream_stream if streams else channel.unary_stream
            call = kind(f"/{service}/{name}")(iter([garbage]) if streams else garbage)
            code, text = await status_of(_all(call))
            assert code is grpc.StatusCode.INVALID_ARGUMENT, (name, code, text)
            assert "protobuf" in text
    told = [line for line in lines if line["event"] == "request refused"]
    assert 1 <= len(told) < len(own), "the lines are limited, and one is there"
    assert not [line for line in lines if line["log_level"] == "error"]


async def test_what_is_under_way_on_a_stream_is_answered_before_it_ends(proxy) -> None:
    channel, far = proxy
    far.open.clear()
    good = pb.Bursts(bursts=[burst_to_wire(make_burst(7))]).SerializeToString()
    call = channel.stream_stream("/semlink.v1.Channel/Relay", response_deserializer=pb.Receptions.FromString)()
    await call.write(good)
    await until(lambda: len(far.bursts) == 1)
    await call.write(b"\xff\xff")
    await asyncio.sleep(0.1)
    far.open.set()
    assert (await call.read()).receptions[0].burst_id == 7
    assert await call.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_more_bursts_than_a_message_may_hold_end_the_stream(proxy) -> None:
    channel, far = proxy
    call = channel.stream_stream("/semlink.v1.Channel/Relay", request_serializer=pb.Bursts.SerializeToString)()
    await call.write(pb.Bursts(bursts=[pb.Burst(burst_id=number) for number in range(1025)]))
    assert await call.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert await call.details() == "Bursts.bursts of length 1025: at most 1024"
    assert not far.bursts


async def test_a_burst_that_holds_too_much_fails_alone(proxy) -> None:
    channel, _ = proxy
    long = burst_to_wire(make_burst(1, question="?" * 5000))
    call = channel.stream_stream(
        "/semlink.v1.Channel/Relay",
        request_serializer=pb.Bursts.SerializeToString,
        response_deserializer=pb.Receptions.FromString,
    )(iter([pb.Bursts(bursts=[long, burst_to_wire(make_burst(2))])]))
    answers = {one.burst_id: one.failure async for message in call for one in message.receptions}
    assert answers[1].code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert answers[1].message == "Burst.question of length 5000: at most 2000"
    assert not answers[2].code


async def test_a_long_schedule_leaves_the_event_loop_alone(proxy) -> None:
    """10,000 changes take half a second; the loop meanwhile turns."""
    channel, _ = proxy
    changes = [api.Change(seconds=second, settings={"snr_db": second % 20}) for second in range(2000)]
    request = api.SetScheduleRequest(schedule=api.Schedule(name="long", changes=changes)).SerializeToString()
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0.001)
            turns += 1

    turning = asyncio.create_task(turn())
    answer = await channel.unary_unary("/semlink.v1.Channel/SetSchedule")(request)
    turning.cancel()
    assert len(api.ScheduleState.FromString(answer).schedule.changes) == 2000
    assert turns > 5
    many = api.SetScheduleRequest(schedule=api.Schedule(changes=[api.Change()] * 10_001)).SerializeToString()
    code, text = await status_of(channel.unary_unary("/semlink.v1.Channel/SetSchedule")(many))
    assert (code, text) == (grpc.StatusCode.INVALID_ARGUMENT, "Schedule.changes of length 10001: at most 10000")


def test_every_text_array_and_list_of_a_request_has_a_limit() -> None:
    """And the table names no field that is not there."""
    found: set[str] = set()

    def visit(kind) -> None:
        for field in kind.fields:
            if field.is_repeated or field.cpp_type == field.CPPTYPE_STRING:
                found.add(f"{kind.name}.{field.name}")
            entries = field.message_type is not None and field.message_type.GetOptions().map_entry
            if field.message_type is not None and not entries:
                visit(field.message_type)

    for method in METHODS:
        visit(method.input_type)
    assert found == set(LIMITS)


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (kb.AddRequest(items=[kb.NewItem()] * 1025), "AddRequest.items"),
        (kb.RelabelRequest(labels={str(n): "x" for n in range(100_001)}), "RelabelRequest.labels"),
        (pb.Burst(configure=pb.Configure(codecs=[{"codec": "x" * 300}])), "CodecSpec.codec"),
        (pb.Burst(configure=pb.Configure(required_posteriors=[0.5] * 65)), "Configure.required_posteriors"),
        (tx.SendImageRequest(question=tx.Question(text="x" * 3000)), "Question.text"),
    ],
)
def test_the_field_that_holds_too_much_is_named(message, field: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{field} of length"):
        check_limits(message)


def test_a_message_of_many_empty_parts_is_refused_before_it_is_parsed() -> None:
    many = b"\x12\x00" * 1_000_000  # empty items
    assert len(kb.AddRequest.FromString(many[:20]).items) == 10
    with pytest.raises(InvalidInput, match="AddRequest of more than 4096 fields"):
        check_bytes(many, "AddRequest")
    with pytest.raises(InvalidInput, match="Burst of 5000000 bytes: at most 4194304"):
        check_bytes(bytes(5_000_000), "Burst")
    with pytest.raises(InvalidInput, match="Bursts of more than 4096 fields"):
        check_bytes(many, "Bursts")
    picture = kb.AddRequest(items=[kb.NewItem(item_id="a", picture=bytes(1 << 20))] * 20).SerializeToString()
    check_bytes(picture, "AddRequest")


@given(st.binary(max_size=300))
@settings(max_examples=40, deadline=None)
def test_no_bytes_break_the_count_of_fields(data: bytes) -> None:
    padded = data + b"\x12" + b"\x80\x80\x80\x01" + bytes(2 << 20)
    with suppress(InvalidInput):
        check_bytes(padded, "AddRequest")


def test_the_largest_legal_request_of_each_list_passes() -> None:
    check_limits(kb.AddRequest(items=[kb.NewItem()] * LIMITS["AddRequest.items"]))
    assert LIMITS["NewItem.picture"] == WHOLE


async def _all(call) -> None:
    async for _ in call:
        pass


def own_address() -> str:
    """An address of this machine that is not its loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


async def test_a_caller_on_another_machine_is_not_told_where_things_lie(tmp_path: Path) -> None:
    outside = own_address()
    if outside.startswith("127."):
        pytest.skip("this machine has no address but its loopback")
    own = ProxySettings(receiver_address="127.0.0.1:1", grace_seconds=1, log_level="error", host=outside, insecure=True)
    async with serving(ChannelService, own, tmp_path) as address, dialled(address) as channel:
        call = channel.stream_stream("/semlink.v1.Channel/Relay", response_deserializer=pb.Receptions.FromString)
        message = pb.Bursts(bursts=[burst_to_wire(make_burst(1))])
        (answer,) = (await anext(aiter(call(iter([message.SerializeToString()]))))).receptions
        assert answer.failure.code == grpc.StatusCode.UNAVAILABLE.value[0]
        assert "127.0.0.1" not in answer.failure.message
        assert answer.failure.message.startswith("the next service cannot be reached")


async def test_calls_of_all_clients_are_limited_and_health_checks_are_not(tmp_path: Path) -> None:
    own = ProxySettings(receiver_address="127.0.0.1:1", grace_seconds=1, log_level="error", max_calls=3)
    async with serving(ChannelService, own, tmp_path) as address, dialled(address) as channel:
        watches = [channel.unary_stream("/semlink.v1.Channel/WatchChannel")(b"") for _ in range(3)]
        for watch in watches:
            await watch.read()
        code, text = await status_of(channel.unary_unary("/semlink.v1.Channel/GetChannel")(b""))
        assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert text.startswith("3 calls are at work")
        await channel.unary_unary("/grpc.health.v1.Health/Check")(b"")
        watches[0].cancel()
        async with asyncio.timeout(30):
            while True:
                try:
                    await channel.unary_unary("/semlink.v1.Channel/GetChannel")(b"")
                    break
                except grpc.aio.AioRpcError:
                    await asyncio.sleep(0.05)
        for watch in watches:
            watch.cancel()


async def test_an_idle_stream_is_closed(tmp_path: Path) -> None:
    own = ProxySettings(receiver_address="127.0.0.1:1", grace_seconds=1, log_level="error", idle_seconds=0.1)
    async with serving(ChannelService, own, tmp_path) as address, dialled(address) as channel:
        call = channel.stream_stream("/semlink.v1.Channel/Replay")()
        code, text = await status_of(call.read())
        assert code is grpc.StatusCode.UNAVAILABLE
        assert text.startswith("no request for 0.1 s")


async def test_a_recording_may_wait_for_its_end(tmp_path: Path) -> None:
    own = ProxySettings(receiver_address="127.0.0.1:1", grace_seconds=1, log_level="error", idle_seconds=0.1)
    async with serving(ChannelService, own, tmp_path) as address, dialled(address) as channel:
        call = channel.stream_stream("/semlink.v1.Channel/RecordChannel")()
        await call.write(b"")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await call.read()


async def test_streams_that_their_caller_drops_end_nothing_else(tmp_path: Path) -> None:
    """Their end is recorded when nothing is left of the call: asked for its peer then, gRPC crashed the process."""
    with process("channel_proxy", tmp_path, "--receiver-address", "127.0.0.1:1") as running:
        async with dialled(running.address) as channel:
            stub = ChannelStub(channel)
            await stub.GetChannel(api.GetChannelRequest(), wait_for_ready=True)
            for _ in range(10):
                bursts = [pb.Burst(burst_id=number) for number in range(400)]
                calls = [stub.Replay(iter(bursts)) for _ in range(8)]
                await asyncio.gather(*(call.read() for call in calls))
                for call in calls:
                    call.cancel()  # with answers on their way
            await stub.GetChannel(api.GetChannelRequest())
        assert running.process.poll() is None
        await until(lambda: running.log.read_text(encoding="utf-8").count("CANCELLED") == 80)
