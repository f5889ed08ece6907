"""Where spans go: to a collector by OTLP, as OpenTelemetry's standard environment variables say.

variable | here
---|---
OTEL_EXPORTER_OTLP_ENDPOINT, _TRACES_ENDPOINT | the collector; naming one turns traces on
OTEL_TRACES_EXPORTER | otlp turns traces on, none turns them off
OTEL_EXPORTER_OTLP_PROTOCOL, _TRACES_PROTOCOL | http/protobuf (default) or grpc
OTEL_SDK_DISABLED | true turns traces off
OTEL_TRACES_SAMPLER, _ARG, OTEL_BSP_*, OTEL_EXPORTER_OTLP_HEADERS, OTEL_RESOURCE_ATTRIBUTES, ... | read by the SDK
"""

import os
import threading
from typing import Any, Final

from shared.errors import InvalidSetting, NotFound
from shared.observe import tracing
from shared.version import VERSION

_FLUSH_SECONDS: Final = 3.0
_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_providers: list[Any] = []


def wanted() -> bool:
    """Whether the environment asks for traces. Raises InvalidSetting for an exporter that there is not."""
    exporter = os.environ.get("OTEL_TRACES_EXPORTER", "").strip()
    if exporter not in {"", "otlp", "none"}:
        raise InvalidSetting(f"OTEL_TRACES_EXPORTER = {exporter!r}: traces go out by otlp; choose otlp or none")
    if exporter == "none" or os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    return exporter == "otlp" or any(map(os.environ.get, _ENDPOINTS))


def start(service: str) -> None:
    """Export the spans of this process where the environment asks for it; else nothing is imported.

    service: transmitter, channel_proxy, receiver or client; OTEL_SERVICE_NAME has another name instead.
    Raises NotFound without OpenTelemetry, InvalidSetting for a wrong variable.
    """
    if not wanted():
        return
    try:
        from opentelemetry import trace  # noqa: PLC0415 - 0.2 s, and an extra
        from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

        exporter = _exporter()
    except ImportError as error:
        raise NotFound(
            f"traces need {error.name}, which is not installed: pip install 'semlink[observe]', "
            "or set OTEL_SDK_DISABLED=true"
        ) from error
    name = os.environ.get("OTEL_SERVICE_NAME") or f"semlink-{service}"
    provider = TracerProvider(
        resource=Resource.create({SERVICE_NAME: name, SERVICE_VERSION: VERSION}), shutdown_on_exit=False
    )
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    _providers.append(provider)
    tracing.use(provider.get_tracer("semlink", VERSION))


def _exporter() -> Any:
    protocol = next(filter(None, map(os.environ.get, _PROTOCOLS)), "http/protobuf").strip()
    if protocol == "http/protobuf":
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - see `start`
            OTLPSpanExporter,
        )

        return OTLPSpanExporter()
    if protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import (  # noqa: PLC0415 - see `start`
            OTLPSpanExporter as GrpcSpanExporter,
        )

        return GrpcSpanExporter()
    raise InvalidSetting(f"OTEL_EXPORTER_OTLP_PROTOCOL = {protocol!r}: choose http/protobuf or grpc")


def stop() -> None:
    """Send the spans that are left; a collector that does not answer is waited for 3 s at most."""
    for provider in _providers:
        last = threading.Thread(target=provider.shutdown, daemon=True)
        last.start()
        last.join(_FLUSH_SECONDS)
    _providers.clear()
