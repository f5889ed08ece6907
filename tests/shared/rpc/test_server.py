"""The life of a server, on real processes where it matters: the channel proxy is the cheap one to start."""

import asyncio
import signal
import socket
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse

from channel_proxy.service import ChannelService
from channel_proxy.settings import ProxySettings
from protos.semlink.v1 import channel_pb2 as channel_pb
from protos.semlink.v1 import channel_pb2_grpc as channel_rpc
from protos.semlink.v1 import link_pb2 as link_pb
from shared.errors import DataLoss, Unavailable
from shared.rpc.server import serve
from shared.wire.link import burst_to_wire
from tests.tools.rpc import (
    PATIENCE,
    FarEnd,
    Running,
    dialled,
    far_end,
    linked,
    make_burst,
    process,
    ready,
    status_of,
    to_channel,
    until,
)

NAMES = ["grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection", "semlink.v1.Channel"]


class Slow:
    """How a channel proxy loads that takes until it is told to stop that, or fails."""

    def __init__(self) -> None:
        self.warm = asyncio.Event()
        self.failure: Exception | None = None
        self.stopped = False

    @property
    def kind(self) -> type[ChannelService]:
        """The service."""
        slow = self

        class SlowService(ChannelService):
            @classmethod
            @asynccontextmanager
            async def load(cls, settings: ProxySettings):
                try:
                    await slow.warm.wait()
                    if slow.failure:
                        raise slow.failure
                    async with super().load(settings) as service:
                        yield service
                finally:
                    slow.stopped = True

        return SlowService


async def health(address: str, service: str = "") -> int:
    async with dialled(address) as channel:
        answer = await HealthStub(channel).Check(HealthCheckRequest(service=service), wait_for_ready=True, timeout=30)
        return int(answer.status)


@pytest.fixture
async def slow(tmp_path: Path):
    """(service, address, stop, the task that serves): bound and announced, and not yet warm."""
    announce, stop = tmp_path / "deep" / "address", asyncio.Event()
    settings = ProxySettings(port=0, announce=announce, heartbeat=tmp_path / "heartbeat", grace_seconds=1)
    (tmp_path / "heartbeat").touch()  # of an earlier life, which was killed
    service = Slow()
    running = asyncio.create_task(serve(service.kind, settings, stop))
    await until(announce.exists)
    yield service, announce.read_text(encoding="utf-8"), stop, running
    stop.set()
    service.warm.set()
    await asyncio.gather(running, return_exceptions=True)


async def test_before_the_warm_up_is_done_nothing_is_served(slow) -> None:
    service, address, _, _ = slow
    assert await health(address) == HealthCheckResponse.NOT_SERVING
    assert await health(address, "semlink.v1.Channel") == HealthCheckResponse.NOT_SERVING
    async with dialled(address) as channel:
        stub = channel_rpc.ChannelStub(channel)
        code, message = await status_of(stub.GetChannel(channel_pb.GetChannelRequest()))
        assert code is grpc.StatusCode.UNAVAILABLE
        assert "warming up" in message
    async with linked(to_channel(address)) as link:
        with pytest.raises(Unavailable, match="warming up"):
            await link.exchange(make_burst())
        service.warm.set()
        await ready(address)
        assert await health(address, "semlink.v1.Channel") == HealthCheckResponse.SERVING
        with pytest.raises(Unavailable, match="50053 cannot be reached"):  # the same link works again
            await link.exchange(make_burst())


async def test_a_stop_during_the_warm_up_ends_it(slow) -> None:
    service, _, stop, running = slow
    stop.set()
    await asyncio.wait_for(running, PATIENCE)
    assert service.stopped


async def test_a_warm_up_that_fails_is_the_end_and_its_reason(slow) -> None:
    service, _, _, running = slow
    service.failure = DataLoss("the weights are damaged")
    service.warm.set()
    with pytest.raises(DataLoss, match="weights"):
        await asyncio.wait_for(running, PATIENCE)
    assert service.stopped


async def test_health_of_a_name_that_is_none_is_not_found(slow) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await health(slow[1], "semlink.v1.Nothing")
    assert error.value.code() is grpc.StatusCode.NOT_FOUND


async def test_watchers_are_told_of_the_stop(slow) -> None:
    service, address, stop, _ = slow
    async with dialled(address) as channel:
        watch = HealthStub(channel).Watch(HealthCheckRequest())
        assert (await watch.read()).status == HealthCheckResponse.NOT_SERVING
        service.warm.set()
        assert (await watch.read()).status == HealthCheckResponse.SERVING
        stop.set()
        assert (await watch.read()).status == HealthCheckResponse.NOT_SERVING
        watch.cancel()


async def test_the_heart_beats_while_the_service_is_ready(slow, tmp_path: Path) -> None:
    service, address, stop, running = slow
    heartbeat = tmp_path / "heartbeat"
    assert not heartbeat.exists()
    service.warm.set()
    await ready(address)
    await until(heartbeat.exists)
    first = heartbeat.stat().st_mtime_ns
    await until(lambda: heartbeat.stat().st_mtime_ns > first)
    stop.set()
    await asyncio.wait_for(running, PATIENCE)
    assert not heartbeat.exists()


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
async def test_reflection_lists_the_services(slow, version: str) -> None:
    assert await reflected(slow[1], version) == NAMES


async def test_both_loopback_addresses_are_listened_to(slow) -> None:
    port = slow[1].rpartition(":")[2]
    if not has_ipv6_loopback():
        pytest.skip("this machine has no ::1")
    assert await health(f"[::1]:{port}") == HealthCheckResponse.NOT_SERVING


async def test_no_proxy_of_the_environment_is_asked(slow, monkeypatch: pytest.MonkeyPatch) -> None:
    """gRPC obeys http_proxy by itself; where nothing answers at the proxy, no hop of the link would be reached."""
    for name in ("http_proxy", "https_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert await health(slow[1]) == HealthCheckResponse.NOT_SERVING


def has_ipv6_loopback() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


async def reflected(address: str, version: str) -> list[str]:
    async with dialled(address) as channel:
        listing = channel.stream_stream(
            f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
            ServerReflectionRequest.SerializeToString,
            ServerReflectionResponse.FromString,
        )
        call = listing(iter([ServerReflectionRequest(list_services="")]))
        answer = await call.read()
        call.cancel()
        return sorted(service.name for service in answer.list_services_response.service)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_drains_a_process(tmp_path: Path, number: signal.Signals) -> None:
    """What is in flight is answered, nothing more is taken, and it ends in time with code 0."""
    far = FarEnd()
    far.open.clear()
    async with far_end(far) as receiver:
        with process("channel_proxy", tmp_path, "--receiver-address", receiver) as proxy:
            address = await asyncio.to_thread(lambda: proxy.address)
            await ready(address)
            async with linked(to_channel(address)) as link:
                waiting = [asyncio.create_task(link.exchange(make_burst(n))) for n in range(1, 6)]
                await until(lambda: bool(far.bursts))
                await asyncio.sleep(0.5)  # the proxy has read the others too
                start = monotonic()
                proxy.signal(number)
                await asyncio.sleep(0.5)
                assert proxy.process.poll() is None
                far.open.set()
                receptions = await asyncio.wait_for(asyncio.gather(*waiting), PATIENCE)
                assert [reception.burst_id for reception in receptions] == [1, 2, 3, 4, 5]
                assert await asyncio.to_thread(proxy.exit_code) == 0
                assert monotonic() - start < 5
                with pytest.raises(Unavailable):
                    await link.exchange(make_burst(6))


async def test_what_does_not_end_in_time_is_cut_off(tmp_path: Path) -> None:
    far = FarEnd()
    far.open.clear()
    flags = ("--grace-seconds", "0.5")
    async with far_end(far) as receiver:
        with process("channel_proxy", tmp_path, "--receiver-address", receiver, *flags) as proxy:
            address = await asyncio.to_thread(lambda: proxy.address)
            await ready(address)
            async with linked(to_channel(address)) as link:
                waiting = asyncio.create_task(link.exchange(make_burst()))
                await until(lambda: bool(far.bursts))
                start = monotonic()
                proxy.signal(signal.SIGTERM)
                with pytest.raises(Unavailable):
                    await asyncio.wait_for(waiting, PATIENCE)
                assert await asyncio.to_thread(proxy.exit_code) == 0
                assert monotonic() - start < 5


def test_a_port_that_is_taken_is_an_error_that_names_it(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with process("channel_proxy", tmp_path, "--port", str(port)) as proxy:
            assert proxy.exit_code() == 1
            text = proxy.log.read_text(encoding="utf-8")
    assert f"cannot listen on 127.0.0.1:{port}" in text
    assert "Traceback" not in text
    assert not proxy.announce.exists()


@pytest.mark.parametrize("flags", [["--snr-db", "500"], ["--port", "http"]])
def test_a_wrong_setting_is_said_in_one_line_with_code_2(tmp_path: Path, flags: list[str]) -> None:
    with process("channel_proxy", tmp_path, *flags) as proxy:
        assert proxy.exit_code() == 2
        lines = proxy.log.read_text(encoding="utf-8").strip().splitlines()
    assert flags[1] in lines[-1]
    assert "Traceback" not in "".join(lines)


def test_it_stops_when_standard_input_ends(tmp_path: Path) -> None:
    with process("channel_proxy", tmp_path, "--stop-with-stdin", "--log-format", "json") as proxy:
        assert proxy.address
        proxy.process.stdin.write(b"a word is not the end\n")
        proxy.process.stdin.flush()
        with pytest.raises(Exception, match="timed out"):
            proxy.process.wait(0.5)
        proxy.process.stdin.close()
        assert proxy.exit_code() == 0
        assert '"event": "stopped"' in proxy.log.read_text(encoding="utf-8")


async def test_without_that_flag_it_does_not(tmp_path: Path) -> None:
    with process("channel_proxy", tmp_path) as proxy:
        address = await asyncio.to_thread(lambda: proxy.address)
        proxy.process.stdin.close()
        await ready(address)
        assert await reflected(address, "v1") == NAMES
        await _oversized(proxy, address)


async def _oversized(proxy: Running, address: str) -> None:
    """A message beyond the cap breaks its own call and nothing else."""
    huge = burst_to_wire(make_burst())
    huge.symbols = bytes(49 << 20)
    async with grpc.aio.insecure_channel(address, options=[("grpc.max_send_message_length", -1)]) as channel:
        call = channel_rpc.ChannelStub(channel).Relay()
        await call.write(link_pb.Bursts(bursts=[huge]))
        assert await call.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "larger than max" in await call.details()
        assert (await channel_rpc.ChannelStub(channel).GetChannel(channel_pb.GetChannelRequest())).snr_db == 10
    assert proxy.process.poll() is None
