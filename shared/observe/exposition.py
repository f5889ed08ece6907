"""The figures as Prometheus reads them: text over HTTP, in a thread of its own."""

from collections.abc import Iterator
from itertools import accumulate

from prometheus_client import GC_COLLECTOR, PLATFORM_COLLECTOR, PROCESS_COLLECTOR, CollectorRegistry, start_http_server
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from shared.errors import Unavailable
from shared.observe.figures import Count, Distribution, Figure, Level
from shared.observe.metrics import METRICS
from shared.version import VERSION


def serve_metrics(service: str, host: str, port: int) -> int:
    """Answer at http://HOST:PORT/metrics until the process ends; the port. port: 0 lets the system choose.

    Raises Unavailable for a port that is taken.
    """
    registry = CollectorRegistry()
    for collector in (_Figures(service), PROCESS_COLLECTOR, PLATFORM_COLLECTOR, GC_COLLECTOR):
        registry.register(collector)
    try:
        server, _ = start_http_server(port, host, registry)
    except OSError as error:
        raise Unavailable(
            f"cannot serve metrics at {host}:{port}: {error.strerror or error}; choose another --metrics-port, or 0"
        ) from error
    return int(server.server_port)


class _Figures(Collector):
    """The figures of this process; those that it never touched are left out."""

    def __init__(self, service: str) -> None:
        self._service = service

    def collect(self) -> Iterator[Metric]:
        """One family of samples for each figure."""
        yield InfoMetricFamily("semlink_build", "This service.", {"service": self._service, "version": VERSION})
        for figure in METRICS:
            family = _family(figure)
            if family.samples:
                yield family


def _family(figure: Figure) -> Metric:
    if isinstance(figure, Distribution):
        histogram = HistogramMetricFamily(figure.name, figure.help, labels=figure.labels)
        bounds = [*(str(float(bound)) for bound in figure.bounds), "+Inf"]
        for labels, counts, total in figure.samples():
            histogram.add_metric(labels, list(zip(bounds, map(float, accumulate(counts)), strict=True)), total)
        return histogram
    assert isinstance(figure, Count)
    kind = GaugeMetricFamily if isinstance(figure, Level) else CounterMetricFamily
    family = kind(figure.name, figure.help, labels=figure.labels)
    for labels, value in figure.samples():
        family.add_metric(labels, value)
    return family
