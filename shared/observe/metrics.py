"""All metrics of the services, by Prometheus' conventions: base units in the names, `_total` added to counters.

A service exports those that it has touched.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Final

from shared.ledger import Entry
from shared.observe.figures import Count, Distribution, Figure, Level
from shared.observe.tracing import fail, request_span, stage_spans

_SECONDS: Final = (1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SIZES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)

REQUESTS: Final = Count("semlink_requests", "Requests and bursts that were answered.", ("method", "status"))
IN_FLIGHT: Final = Level("semlink_requests_in_flight", "Requests and bursts at work.", ("method",))
REQUEST_SECONDS: Final = Distribution(
    "semlink_request_duration_seconds", "From a request or burst to its answer.", ("method",), _SECONDS
)
BATCH_ITEMS: Final = Distribution("semlink_batch_items", "Items that were worked on together.", ("batcher",), _SIZES)
STAGE_SECONDS: Final = Distribution(
    "semlink_stage_duration_seconds", "Stages of the ledger that this service books.", ("stage", "kind"), _SECONDS
)
DELIVERIES: Final = Count("semlink_deliveries", "Pictures that were answered.", ("codec", "accepted"))
HARQ_ROUNDS: Final = Distribution("semlink_harq_rounds", "Rounds of a picture sent with HARQ.", (), (1, 2, 3, 4, 5, 6))
SNR_ACHIEVED: Final = Distribution(
    "semlink_channel_snr_achieved_decibels", "SNR of each burst.", (), (-10, -5, 0, 5, 10, 15, 20, 25, 30, 40)
)
SNR_ASKED: Final = Level("semlink_channel_snr_asked_decibels", "SNR in the channel's settings, a schedule's included.")
BURSTS: Final = Count("semlink_channel_bursts", "Bursts that entered the channel.")
FAULTS: Final = Count("semlink_channel_faults", "Bursts lost, duplicated, reordered, failed; resets.", ("fault",))
QUEUED: Final = Level("semlink_channel_bursts_queued", "Bursts that wait for the air.")
ITEMS: Final = Level("semlink_knowledge_base_items", "Items of the knowledge base.")
LABELS: Final = Level("semlink_knowledge_base_labels", "Labels of the knowledge base.")
CHANGES: Final = Level("semlink_knowledge_base_version", "Changes that the knowledge base has seen.")
REBUILDS: Final = Count("semlink_knowledge_base_index_rebuilds", "Indexes that replaced an earlier one.")

METRICS: Final[tuple[Figure, ...]] = tuple(value for value in list(globals().values()) if isinstance(value, Figure))


class Tracked:
    """One request at work. status: of its answer; a body that answers a failure sets it."""

    def __init__(self) -> None:
        self.status = "OK"


@contextmanager
def tracking(method: str, traceparent: str = "") -> Iterator[Tracked]:
    """Count a request of `method` while the body answers it, how it ends, and the time that it takes.

    traceparent: of the caller's span, of which that of the request becomes a child where traces are on.
    """
    start, tracked = perf_counter(), Tracked()
    IN_FLIGHT.add(method)
    with request_span(method, traceparent) as span:
        try:
            yield tracked
        except BaseException:
            if tracked.status == "OK":
                tracked.status = "CANCELLED"  # all else is answered inside the body
            raise
        finally:
            IN_FLIGHT.add(method, by=-1.0)
            REQUESTS.add(method, tracked.status)
            REQUEST_SECONDS.observe(perf_counter() - start, method)
            if tracked.status != "OK":
                fail(span, tracked.status)


def observe_stages(ledger: Iterable[Entry]) -> None:
    """Count stages that this service has booked for the current request, and make spans of them."""
    booked = tuple(ledger)
    for stage, seconds, kind in booked:
        STAGE_SECONDS.observe(seconds, stage, kind)
    stage_spans(booked)
