"""What metrics cost: two links under the same load in turn, one with --metrics-port that is scraped, one without.

Every service counts in any case, so what counting costs is a figure of its own: updates of a picture times the time of
one, over the processor time of a picture.
"""

import json
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from time import perf_counter
from typing import Any, Final

import numpy as np
import uvloop

from client import AsyncSemLink
from lab.bench.fixtures import bench_pictures, random_knowledge_base
from lab.bench.load import generate_load
from lab.bench.processor import processor_seconds
from local.supervisor import SERVICES, LinkPlan, LocalLink
from shared.clip import load_clip
from shared.observe.figures import Distribution

_SCRAPE_SECONDS: Final = 1.0
"""Prometheus asks every 15 s unless it is told otherwise; so this is more than it costs."""
_UPDATES: Final = 100_000


@dataclass(frozen=True)
class MetricsBench:
    """What to measure. seconds: of each turn. turns: of each link. concurrency: pictures in flight."""

    seconds: float = 5.0
    turns: int = 5
    concurrency: int = 16


@dataclass(frozen=True)
class _Turn:
    """What one turn of load gave: pictures a second, and the services' processor time for each, in seconds."""

    rate: float
    cpu_seconds: float


def bench_metrics(bench: MetricsBench) -> dict[str, Any]:
    """Throughput and processor time of a picture with a port for metrics, over those without; medians of pairs."""
    with tempfile.TemporaryDirectory(prefix="semlink-bench-") as folder, ExitStack() as stack:
        random_knowledge_base(Path(folder) / "kb", load_clip())
        bare, exporting = (
            stack.enter_context(LocalLink(_plan(Path(folder), name, flags)))
            for name, flags in (("without", []), ("with", ["--metrics-port", "0"]))
        )
        addresses = [_metrics_address(service.log) for service in exporting.services.values()]
        pictures = bench_pictures()
        for link in (bare, exporting):
            _turn(link, pictures, bench.concurrency, 1.0)  # warm
        pairs = []
        for _ in range(bench.turns):
            without = _turn(bare, pictures, bench.concurrency, bench.seconds)
            with _scraping(addresses):
                pairs.append((without, _turn(exporting, pictures, bench.concurrency, bench.seconds)))
        updates = _updates(addresses) / _deliveries(addresses)
    return _report(pairs, updates * _update_seconds())


def _plan(folder: Path, part: str, flags: list[str]) -> LinkPlan:
    of_all = {name: ["--log-format", "json", *flags] for name in SERVICES}
    return LinkPlan(folder / "kb", folder / part, source=None, read_only=True, flags=of_all)


def _metrics_address(log: Path) -> str:
    """Where a service says that it exports its metrics."""
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines() if line.startswith("{")]
    return next(str(line["address"]) for line in lines if line["event"] == "metrics")


def _turn(link: LocalLink, pictures: list[bytes], concurrency: int, seconds: float) -> _Turn:
    processes = [service.pid for service in link.services.values()]
    before = sum(map(processor_seconds, processes))

    async def turn() -> Any:
        async with AsyncSemLink(link.transmitter, timeout=120) as client:
            return await generate_load(client, pictures, seconds, {}, concurrency=concurrency)

    load = uvloop.run(turn())
    spent = sum(map(processor_seconds, processes)) - before
    return _Turn(load.per_second, spent / max(1, len(load.latencies)))


@contextmanager
def _scraping(addresses: list[str]) -> Iterator[None]:
    """Ask every service each second while the body runs."""
    done = Event()

    def scrape() -> None:
        while not done.wait(_SCRAPE_SECONDS):
            for address in addresses:
                _scraped(address)

    thread = Thread(target=scrape)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _scraped(address: str) -> dict[str, float]:
    """Values by sample, with its labels as it is written."""
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    pairs = [line.rsplit(" ", 1) for line in lines if line.startswith("semlink_")]
    return {name: float(value) for name, value in pairs}


def _sum(addresses: list[str], wanted: Callable[[str], bool]) -> float:
    return sum(value for address in addresses for name, value in _scraped(address).items() if wanted(name))


def _updates(addresses: list[str]) -> float:
    """Counters and histograms that were updated so far; gauges are updated twice for each request."""
    requests = _sum(addresses, lambda name: name.startswith("semlink_requests_total"))
    return 2 * requests + _sum(addresses, lambda name: name.partition("{")[0].endswith(("_count", "_total")))


def _deliveries(addresses: list[str]) -> float:
    return max(1.0, _sum(addresses, lambda name: name.startswith("semlink_deliveries_total")))


def _update_seconds() -> float:
    figure = Distribution("bench", "Of this benchmark.", ("stage",), (1e-4, 1e-3, 1e-2, 0.1, 1.0))
    start = perf_counter()
    for _ in range(_UPDATES):
        figure.observe(0.003, "encode")
    return (perf_counter() - start) / _UPDATES


def _report(pairs: list[tuple[_Turn, _Turn]], counting_seconds: float) -> dict[str, Any]:
    rates = [exported.rate / bare.rate for bare, exported in pairs]
    costs = [exported.cpu_seconds / bare.cpu_seconds for bare, exported in pairs]
    cpu_seconds = float(np.median([bare.cpu_seconds for bare, _ in pairs]))
    return {
        "pictures_per_second": float(np.median([bare.rate for bare, _ in pairs])),
        "throughput_ratio": float(np.median(rates)),
        "throughput_ratios": [round(rate, 3) for rate in rates],
        "cpu_ms_per_picture": 1e3 * cpu_seconds,
        "cpu_ratio": float(np.median(costs)),
        "cpu_ratios": [round(cost, 3) for cost in costs],
        "counting_us_per_picture": 1e6 * counting_seconds,
        "counting_share": counting_seconds / cpu_seconds,
        "scrape_seconds": _SCRAPE_SECONDS,
    }
