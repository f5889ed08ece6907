"""One trace from the client over all services and back, as a collector gets it by OTLP."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from client import ChannelControl
from local.supervisor import LinkPlan, LocalLink
from shared.ledger import AIR, Stage
from shared.ledger import RECEIVER as RECEIVER_STAGES
from tests.tools.paths import ROOT

pytest.importorskip("opentelemetry.sdk", reason="no OpenTelemetry here: pip install 'semlink[observe]'")
otlp = pytest.importorskip("opentelemetry.proto.collector.trace.v1.trace_service_pb2")


@dataclass
class Span:
    """A span as it came. attributes: without what OpenTelemetry calls kinds of values."""

    service: str
    name: str
    trace: str
    span: str
    parent: str
    failed: bool
    seconds: float
    attributes: dict[str, Any]


@dataclass
class Collector:
    """An OTLP receiver of a few lines."""

    spans: list[Span] = field(default_factory=list)
    endpoint: str = ""

    def take(self, data: bytes) -> None:
        for resource in otlp.ExportTraceServiceRequest.FromString(data).resource_spans:
            service = _values(resource.resource.attributes)["service.name"]
            for scope in resource.scope_spans:
                self.spans += [_span(service, one) for one in scope.spans]

    def trace_of(self, *wanted: tuple[str, str], seconds: float = 60.0) -> list[Span]:
        """The spans of the first trace that has all of these, by service and name."""
        deadline = monotonic() + seconds
        while monotonic() < deadline:
            for trace in {one.trace: None for one in self.spans}:
                found = [one for one in self.spans if one.trace == trace]
                if set(wanted) <= {(one.service, one.name) for one in found}:
                    return found
            sleep(0.1)
        raise AssertionError(f"no trace with {wanted}; there came {self.spans}")


def _values(attributes: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}


def _span(service: str, one: Any) -> Span:
    lasted = 1e-9 * (one.end_time_unix_nano - one.start_time_unix_nano)
    ids = (one.trace_id.hex(), one.span_id.hex(), one.parent_span_id.hex())
    return Span(service, one.name, *ids, one.status.code == 2, lasted, _values(one.attributes))


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    found = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers["content-length"]))
            found.take(data)
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing on standard error."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        found.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
        yield found
        server.shutdown()


@pytest.fixture(scope="module")
def traced(link: LocalLink, collector: Collector, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalLink]:
    """Services of their own, whose environment names the collector; they read the other link's knowledge base."""
    folder = tmp_path_factory.mktemp("traced")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
        environment.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        plan = LinkPlan(link.plan.knowledge_base, folder, source=None, read_only=True)
        with LocalLink(plan) as running:
            yield running


CLIENT, TRANSMITTER, CHANNEL, RECEIVER = map(
    "semlink-{}".format, ("client", "transmitter", "channel_proxy", "receiver")
)
REQUESTS = ((CLIENT, "SendImage"), (TRANSMITTER, "SendImage"), (CHANNEL, "Burst"), (RECEIVER, "Burst"))


def sent(traced: LocalLink, collector: Collector, pictures: list[Path], *flags: str) -> int:
    """Pictures sent from the command line; its status."""
    environment = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint}
    command = [sys.executable, "-m", "semlink", "send", *map(str, pictures), "--transmitter", traced.transmitter]
    return subprocess.run([*command, *flags], cwd=ROOT, env=environment, capture_output=True, check=False).returncode


@pytest.fixture(scope="module")
def pictures(drawn_pngs: list[tuple[str, bytes]], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    files = [tmp_path_factory.mktemp("picture") / f"{place}.png" for place in range(2)]
    for file, (_, png) in zip(files, drawn_pngs, strict=False):
        file.write_bytes(png)
    return files


@pytest.fixture(scope="module")
def trace(traced: LocalLink, collector: Collector, pictures: list[Path]) -> list[Span]:
    """The spans of one picture."""
    assert sent(traced, collector, pictures[:1], "--codec", "nested", "--k", "64") == 0
    return collector.trace_of(*REQUESTS)


def lineage(trace: list[Span], last: Span) -> list[tuple[str, str]]:
    """Service and name of all spans from the first to `last`."""
    by_id = {one.span: one for one in trace}
    found = [last]
    while found[-1].parent:
        found.append(by_id[found[-1].parent])
    return [(one.service, one.name) for one in reversed(found)]


HOPS = [(TRANSMITTER, "burst"), (CHANNEL, "Burst"), (CHANNEL, "burst"), (RECEIVER, "Burst")]


def test_each_span_is_a_child_of_the_one_before(trace: list[Span]) -> None:
    (receiver,) = [one for one in trace if (one.service, one.name) == (RECEIVER, "Burst")]
    assert lineage(trace, receiver) == [(CLIENT, "SendImage"), (TRANSMITTER, "SendImage"), *HOPS]


def test_each_picture_of_a_stream_has_a_trace(traced: LocalLink, collector: Collector, pictures: list[Path]) -> None:
    assert sent(traced, collector, pictures) == 0
    trace = collector.trace_of((CLIENT, "SendImages"), (TRANSMITTER, "SendImages"), (RECEIVER, "Burst"))
    (receiver,) = [one for one in trace if (one.service, one.name) == (RECEIVER, "Burst")]
    assert lineage(trace, receiver) == [(CLIENT, "SendImages"), (TRANSMITTER, "SendImages"), *HOPS]
    roots = {one.trace for one in collector.spans if (one.service, one.name) == (CLIENT, "SendImages")}
    assert len(roots) == len(pictures)


def test_stages_of_the_ledger_are_spans_of_who_books_them(trace: list[Span]) -> None:
    stages = {(one.service, one.name) for one in trace if "semlink.kind" in one.attributes}
    assert {(TRANSMITTER, name) for name in (Stage.PREPROCESS, Stage.ENCODE, Stage.COMPRESS, Stage.WIRE)} <= stages
    assert {name for service, name in stages if service == CHANNEL} <= AIR
    assert {name for service, name in stages if service == RECEIVER} <= RECEIVER_STAGES
    assert {(CLIENT, Stage.ACCESS), (CHANNEL, Stage.CHANNEL), (RECEIVER, Stage.SEARCH)} <= stages
    (airtime,) = [one for one in trace if one.name == Stage.AIRTIME]
    assert airtime.attributes["semlink.kind"] == "emulated"
    assert airtime.seconds > 0


def test_spans_carry_burst_and_codec(trace: list[Span]) -> None:
    for service, name in REQUESTS:
        (one,) = [each for each in trace if (each.service, each.name) == (service, name)]
        assert one.attributes["semlink.codec"] == "nested"
        assert one.attributes["semlink.k"] == 64
        assert len(one.attributes["semlink.burst_id"]) == 16
    bursts = {one.attributes["semlink.burst_id"] for one in trace if "semlink.burst_id" in one.attributes}
    assert len(bursts) == 2  # the sender's, and the alias by which the receiver knows it


def test_a_lost_burst_is_a_failed_span(traced: LocalLink, collector: Collector, pictures: list[Path]) -> None:
    before = {one.trace for one in collector.spans}
    with ChannelControl(traced.channel) as channel:
        channel.set(loss_probability=1.0)
        assert sent(traced, collector, pictures[:1]) == 1
        channel.reset()
    deadline = monotonic() + 60
    while not (failed := [one for one in collector.spans if one.failed and one.trace not in before]):
        assert monotonic() < deadline, collector.spans
        sleep(0.1)
    assert RECEIVER not in {one.service for one in collector.spans if one.trace == failed[0].trace}
