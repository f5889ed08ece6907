"""Runs a link under an even load for long, and draws what it holds and how quick it is over time.

    python -m tests.soak HOURS [--out FILE.png]

Beside the picture FILE.csv has its figures. Exit status 1 where a service's memory, descriptors or threads grew over
the second half of the time, beyond what pools and caches explain, or where a picture was not answered.
"""

import argparse
import asyncio
import csv
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any, Final, NamedTuple

import matplotlib as mpl
import numpy as np
import psutil

from cli.demo.run import demo_pictures
from client import AsyncSemLink
from local.supervisor import LinkPlan, LocalLink

mpl.use("agg")
from matplotlib import pyplot as plt

_WAYS: Final[Sequence[dict[str, Any]]] = (
    {"codec": "raw"},
    {"codec": "nested", "ask_for_more": True},
    {"codec": "kbsc"},
)
_GROWTH: Final = {"memory_mib": 1.05, "descriptors": 1.10, "threads": 1.10}
"""Most that the median of the last quarter may have of that of the second one."""
_MORE: Final = {"memory_mib": 16, "descriptors": 8, "threads": 4}


class Sample(NamedTuple):
    """One look at one service, and at the pictures that were answered since the last one."""

    seconds: float
    service: str
    memory_mib: float
    descriptors: int
    threads: int
    answers: int
    p50_ms: float
    p99_ms: float


async def soak(link: LocalLink, seconds: float) -> tuple[list[Sample], list[str]]:
    """Send without a pause from a client of each way; look at the services some 200 times."""
    latencies: list[float] = []
    errors: list[str] = []
    pictures = [picture.encoded() for picture in demo_pictures(50)]
    working = [asyncio.create_task(_send(link.transmitter, pictures, way, latencies, errors)) for way in _WAYS]
    samples: list[Sample] = []
    start = monotonic()
    try:
        while (now := monotonic() - start) < seconds:
            await asyncio.sleep(min(60.0, max(1.0, seconds / 200)))
            samples += _look(link, now, latencies)
            latencies.clear()
    finally:
        for task in working:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*working)
    return samples, errors


async def _send(
    address: str, pictures: Sequence[bytes], way: dict[str, Any], latencies: list[float], errors: list[str]
) -> None:
    async with AsyncSemLink(address, timeout=60) as client:
        while True:
            for picture in pictures:
                start = monotonic()
                try:
                    await client.send(picture, **way)
                    latencies.append(monotonic() - start)
                except Exception as error:  # whatever it is, it is told at the end
                    errors.append(repr(error))
                await asyncio.sleep(0.02)


def _look(link: LocalLink, now: float, latencies: list[float]) -> Iterator[Sample]:
    p50, p99 = np.quantile(latencies, (0.5, 0.99)) * 1e3 if latencies else (np.nan, np.nan)
    for name, service in link.services.items():
        process = psutil.Process(service.pid)
        yield Sample(
            round(now, 1),
            name,
            round(process.memory_info().rss / 2**20, 1),
            process.num_fds(),
            process.num_threads(),
            len(latencies),
            round(float(p50), 1),
            round(float(p99), 1),
        )


def grown(samples: Sequence[Sample]) -> list[str]:
    """What a service has clearly more of in the last quarter of the time than in the second one."""
    found = []
    for service in dict.fromkeys(sample.service for sample in samples):
        own = [sample for sample in samples if sample.service == service]
        quarter = len(own) // 4
        for name, factor in _GROWTH.items():
            early, late = (
                float(np.median([getattr(sample, name) for sample in part]))
                for part in (own[quarter : 2 * quarter], own[-quarter:])
            )
            if late > early * factor and late > early + _MORE[name]:
                found.append(f"{service}: {name} grew from {early:g} to {late:g}")
    return found


def draw(samples: Sequence[Sample], file: Path) -> None:
    """Four panels over time."""
    figure, panels = plt.subplots(4, 1, figsize=(9, 11), sharex=True, layout="constrained")
    titles = {"memory_mib": "resident memory, MiB", "descriptors": "open descriptors", "threads": "threads"}
    for panel, (name, title) in zip(panels, titles.items(), strict=False):
        for service in dict.fromkeys(sample.service for sample in samples):
            own = [sample for sample in samples if sample.service == service]
            panel.plot([one.seconds / 60 for one in own], [getattr(one, name) for one in own], label=service)
        panel.set_ylabel(title)
        panel.set_ylim(bottom=0)
    panels[0].legend(loc="lower right")
    own = [sample for sample in samples if sample.service == samples[0].service]
    for name in ("p50_ms", "p99_ms"):
        panels[3].plot([one.seconds / 60 for one in own], [getattr(one, name) for one in own], label=name[:3])
    panels[3].set(ylabel="latency of a picture, ms", xlabel="minutes", yscale="log")
    panels[3].legend(loc="upper right")
    for panel in panels:
        panel.grid(alpha=0.3)
    figure.suptitle(f"{sum(sample.answers for sample in own)} pictures in {samples[-1].seconds / 60:.0f} minutes")
    figure.savefig(file, dpi=100)
    plt.close(figure)


def main() -> int:
    """Start a link, soak it, draw; the exit status."""
    flags = argparse.ArgumentParser(prog="python -m tests.soak")
    flags.add_argument("hours", type=float)
    flags.add_argument("--out", type=Path, default=Path("out/soak.png"))
    given = flags.parse_args()
    given.out.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        with LocalLink(LinkPlan(folder / "kb", folder, source="first:3:drawn")) as link:
            samples, errors = asyncio.run(soak(link, given.hours * 3600))
    with given.out.with_suffix(".csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([Sample._fields, *samples])
    draw(samples, given.out)
    found = [*grown(samples), *(f"{len(errors)} errors, the first: {one}" for one in errors[:1])]
    print(f"{given.out}: {sum(one.answers for one in samples) // 3} pictures, {len(samples) // 3} looks")
    for one in found:
        print("BROKEN", one)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
