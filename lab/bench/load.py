"""Load on a running transmitter: as fast as it answers (closed loop), or at a rate of one's own (open loop)."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from time import perf_counter

import numpy as np

from client import AsyncSemLink, Delivery, SendOptions
from shared.errors import SemLinkError


@dataclass(frozen=True)
class Load:
    """What a load generator saw.

    seconds: from the first picture to the last answer. latencies: [N], seconds, of the answered pictures: from the
    moment at which each was due (open loop) or handed over (closed loop). failures: messages.
    """

    seconds: float
    latencies: tuple[float, ...]
    deliveries: tuple[Delivery, ...]
    failures: tuple[str, ...]

    @property
    def per_second(self) -> float:
        """Answered pictures per second."""
        return len(self.latencies) / self.seconds

    def percentiles_ms(self) -> dict[str, float]:
        """Median, 95th and 99th percentile of the latency, in milliseconds."""
        values = np.percentile(np.array(self.latencies or (np.nan,)) * 1e3, (50, 95, 99))
        return dict(zip(("p50", "p95", "p99"), map(float, values), strict=True))


async def generate_load(
    link: AsyncSemLink,
    pictures: Sequence[bytes],
    seconds: float,
    options: SendOptions,
    *,
    concurrency: int = 1,
    rate: float | None = None,
) -> Load:
    """Send for `seconds`: `concurrency` pictures in flight, or `rate` pictures a second whatever comes back."""
    started = perf_counter()
    due: list[float] = []

    async def feed() -> AsyncIterator[bytes]:
        for number, picture in enumerate(cycle(pictures)):
            moment = perf_counter() if rate is None else started + number / rate
            if max(moment, perf_counter()) - started >= seconds:
                return
            await asyncio.sleep(max(0.0, moment - perf_counter()))
            due.append(moment)
            yield picture

    latencies, deliveries, failures = [], [], []
    in_flight = concurrency if rate is None else max(concurrency, 1024)
    async for position, outcome in link.send_many(feed(), in_flight=in_flight, **options):
        if isinstance(outcome, SemLinkError):
            failures.append(str(outcome))
        else:
            latencies.append(perf_counter() - due[position])
            deliveries.append(outcome)
    return Load(perf_counter() - started, tuple(latencies), tuple(deliveries), tuple(failures))
