"""Traces that are off, sampled, or asked for in a way that there is not."""

import subprocess
import sys

import pytest

from shared.errors import InvalidSetting
from shared.observe import otlp
from shared.observe.tracing import Calls, call_span, note, request_span, stage_spans
from tests.tools.paths import ROOT

_IN_ITS_OWN_PROCESS = """
import sys
from shared.observe import otlp, tracing
otlp.start("client")
{body}
otlp.stop()
"""


def run(body: str, **environment: str) -> str:
    """What a process prints whose environment is this."""
    command = [sys.executable, "-c", _IN_ITS_OWN_PROCESS.format(body=body)]
    return subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, encoding="utf-8").stdout


def test_off_nothing_is_imported_and_nothing_is_sent() -> None:
    body = """
import client, shared.rpc.server
with tracing.request_span("SendImage") as span, tracing.call_span("burst", root=True) as traceparent:
    print(span, repr(traceparent), [name for name in sys.modules if name.startswith("opentelemetry")])
"""
    assert run(body) == "None '' []\n"
    assert run(body, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9", OTEL_SDK_DISABLED="true") == "None '' []\n"


def test_off_every_function_does_nothing() -> None:
    with (
        request_span("SendImage", "00-" + 32 * "1" + "-" + 16 * "1" + "-01") as span,
        call_span("burst") as traceparent,
    ):
        note(codec="nested")
        stage_spans(())
        calls = Calls("SendImages")
        assert (span, traceparent, calls.begin(0)) == (None, "", "")
        calls.end(0, "lost")


def test_what_is_not_sampled_says_so_to_the_next_hop_and_a_burst_of_it_carries_nothing() -> None:
    pytest.importorskip("opentelemetry.sdk", reason="no OpenTelemetry here: pip install 'semlink[observe]'")
    body = """
with tracing.call_span("SendImage", root=True) as first:
    print(int(first[-2:], 16) & 1)
with tracing.request_span("SendImage", first), tracing.call_span("burst") as second:
    print(repr(second))
with tracing.request_span("Burst") as third:
    print(third)
"""
    named = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_TRACES_SAMPLER": "always_off"}
    assert run(body, **named).split() == ["0", "''", "None"]


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("OTEL_TRACES_EXPORTER", "zipkin", "OTEL_TRACES_EXPORTER = 'zipkin'.*otlp or none"),
        (
            "OTEL_EXPORTER_OTLP_PROTOCOL",
            "http/json",
            "OTEL_EXPORTER_OTLP_PROTOCOL = 'http/json'.*http/protobuf or grpc",
        ),
    ],
)
def test_what_there_is_not_is_named(monkeypatch: pytest.MonkeyPatch, variable: str, value: str, told: str) -> None:
    pytest.importorskip("opentelemetry.sdk", reason="no OpenTelemetry here: pip install 'semlink[observe]'")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv(variable, value)
    with pytest.raises(InvalidSetting, match=told):
        otlp.start("client")
