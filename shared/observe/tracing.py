"""Spans of what this process does for a picture: one trace from the client over every hop and back.

    client: SendImage --metadata `traceparent`--> transmitter: SendImage, its stages
        '- burst --Burst.traceparent--> channel_proxy: Burst, its stages
            '- burst --Burst.traceparent--> receiver: Burst, its stages

`traceparent` is that of W3C Trace Context: a random number of the trace, one of the span, and whether it is sampled.
Off, as long as `otlp.start` has not been called and no application brings its own OpenTelemetry SDK: then nothing is
imported, and each function here returns after a comparison. `Any` stands for types of OpenTelemetry, which may not be
installed.
"""

import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Final

from shared.ledger import Entry, Kind

if TYPE_CHECKING:
    from shared.frame.delivery import Delivery  # loads numpy, which help does without

TRACEPARENT: Final = "traceparent"
_PICTURES: Final = frozenset({"SendImage", "SendEmbedding", "SendImages"})
"""Requests with which a trace begins where the client began none."""
_NO_SPAN: Final = nullcontext()
_NO_CALL: Final = nullcontext("")
_own: list[Any] = []


def use(tracer: Any) -> None:
    """Let this tracer make the spans of this process."""
    _own[:] = [tracer]


def _tracer() -> Any:
    """That of `use`, or of the application that the client library is part of, or None."""
    if _own or "opentelemetry.sdk.trace" not in sys.modules:
        return _own[0] if _own else None
    from opentelemetry import trace  # noqa: PLC0415 - only where the application has imported it

    return trace.get_tracer("semlink")


def request_span(method: str, traceparent: str = "") -> AbstractContextManager[Any]:
    """A span around the answer to a request; gives it, or None. traceparent: that came with the request, if any."""
    tracer = _tracer()
    if tracer is None or not (traceparent or method in _PICTURES):
        return _NO_SPAN
    from opentelemetry.trace import SpanKind  # noqa: PLC0415 - see the module

    found: AbstractContextManager[Any] = tracer.start_as_current_span(method, _read(traceparent), SpanKind.SERVER)
    return found


def call_span(name: str, *, root: bool = False) -> AbstractContextManager[str]:
    """A span around a call of the next service; gives the `traceparent` to send, empty where nothing is traced.

    root: begin a trace where none is at work.
    """
    tracer = _tracer()
    return _NO_CALL if tracer is None or not (root or _current().is_recording()) else _calling(tracer, name)


@contextmanager
def _calling(tracer: Any, name: str) -> Iterator[str]:
    from opentelemetry.trace import SpanKind  # noqa: PLC0415 - see the module

    with tracer.start_as_current_span(name, kind=SpanKind.CLIENT):
        yield _written()


def note(**attributes: Any) -> None:
    """Give the current span attributes, under names that begin with `semlink.`."""
    if _tracer() is not None and (span := _current()).is_recording():
        span.set_attributes(_named(attributes))


def note_delivery(delivery: "Delivery") -> None:
    """Give the current span what tells one delivery from another."""
    note(burst_id=delivery.burst_id, codec=delivery.codec, k=delivery.k, label=delivery.label)


def fail(span: Any, status: str) -> None:
    """Mark the span of a request, or None, as failed. status: of gRPC."""
    if span is not None:
        from opentelemetry.trace import Status, StatusCode  # noqa: PLC0415 - see the module

        span.set_status(Status(StatusCode.ERROR, status))


def stage_spans(ledger: Iterable[Entry]) -> None:
    """Spans for stages of the current request, one after the other from its beginning.

    The length of a span is that of the ledger, its place is not measured. An emulated stage took no time, so the next
    one begins with it.
    """
    if (tracer := _tracer()) is None or not (span := _current()).is_recording():
        return
    at = span.start_time  # nanoseconds
    for stage, seconds, kind in ledger:
        end = at + round(1e9 * seconds)
        tracer.start_span(stage, start_time=at, attributes={"semlink.kind": str(kind)}).end(end)
        at = end if kind is Kind.MEASURED else at


def traceparent_of(context: Any) -> str:
    """The `traceparent` in the metadata of a gRPC call, empty where there is none or nothing is traced."""
    if _tracer() is None:
        return ""
    return next((str(value) for name, value in context.invocation_metadata() or () if name == TRACEPARENT), "")


class Calls:
    """Spans of the pictures of one stream, by key; children of what is current where this is made."""

    def __init__(self, name: str) -> None:
        self._name, self._tracer, self._open = name, _tracer(), dict[int, Any]()
        self._context = None if self._tracer is None else _context()

    def begin(self, key: int) -> str:
        """Open a span; the `traceparent` to send, empty where nothing is traced."""
        if self._tracer is None:
            return ""
        from opentelemetry import trace  # noqa: PLC0415 - see the module

        span = self._tracer.start_span(self._name, self._context, trace.SpanKind.CLIENT)
        self._open[key] = span
        return _written(trace.set_span_in_context(span))

    def end(self, key: int, error: str = "", **attributes: Any) -> None:
        """Close the span of a key, if there is one. error: why there is no answer."""
        if (span := self._open.pop(key, None)) is not None:
            span.set_attributes(_named(attributes))
            if error:
                fail(span, error)
            span.end()


def _named(attributes: dict[str, Any]) -> dict[str, Any]:
    return {f"semlink.{name}": value for name, value in attributes.items() if value is not None}


def _current() -> Any:
    from opentelemetry import trace  # noqa: PLC0415 - see the module

    return trace.get_current_span()


def _context() -> Any:
    from opentelemetry import context  # noqa: PLC0415 - see the module

    return context.get_current()


def _read(traceparent: str) -> Any:
    """The context that a `traceparent` names; that of no span for an empty or wrong one."""
    from opentelemetry.context import Context  # noqa: PLC0415 - see the module
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

    return TraceContextTextMapPropagator().extract({TRACEPARENT: traceparent}, Context())


def _written(context: Any = None) -> str:
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier, context)
    return carrier.get(TRACEPARENT, "")
