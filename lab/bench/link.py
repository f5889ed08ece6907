"""The three-process link against a bare loop in one process, turn and turn about."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import uvloop

from client import AsyncSemLink, Delivery, Kind, SemLink, SendOptions
from lab.bench.bare import BareLoop
from lab.bench.fixtures import bench_pictures, random_knowledge_base, random_weights
from lab.bench.load import Load, generate_load
from lab.simulate.chain import channel_chain
from local.supervisor import LinkPlan, LocalLink
from receiver.knowledge_base import KnowledgeBase
from shared.clip import load_clip
from shared.codecs import CodecShelf
from shared.codecs.base.picture import of_embeddings
from shared.ledger import Stage
from shared.phy import ChannelSettings

RANDOM = "random"
CHANNEL = ChannelSettings(snr_db=5.0)
PILOTS = 8


@dataclass(frozen=True)
class LinkBench:
    """What to measure.

    clip, weights: model of both sides; weights "random" makes a checkpoint of the real architecture. codec: must fit
    it. concurrency: pictures in flight; rate: pictures a second instead. seconds: of each turn. turns: link and bare
    loop alternate this often. batch_size: of the encoder and of the bare loop.
    """

    clip: str = "clip-tiny"
    weights: str | None = None
    codec: str | None = None
    concurrency: int = 64
    rate: float | None = None
    seconds: float = 5.0
    turns: int = 3
    batch_size: int = 32
    address: str | None = None


def bench_link(bench: LinkBench) -> dict[str, Any]:
    """Throughput and latency of the link; with a bare loop beside it unless `bench.address` names a running link."""
    if bench.address is not None:
        return _report(bench, [_load(bench.address, bench, bench_pictures(), {}, bench.seconds)], [], [])
    with tempfile.TemporaryDirectory(prefix="semlink-bench-") as folder:
        return _against_bare_loop(bench, Path(folder))


def _against_bare_loop(bench: LinkBench, folder: Path) -> dict[str, Any]:
    weights = random_weights(folder, bench.clip) if bench.weights == RANDOM else bench.weights
    clip = load_clip(bench.clip, weights)
    random_knowledge_base(folder / "kb", clip)
    shelf = CodecShelf(clip.device, clip.fingerprint)
    codec = of_embeddings(shelf.get(bench.codec or ("kbsc" if bench.clip == "clip-tiny" else "raw")))
    pictures = bench_pictures()
    options: SendOptions = {"codec": codec.name, "k": codec.k, "snr_db": CHANNEL.snr_db, "pilot_symbols": PILOTS}
    with (
        KnowledgeBase.open(folder / "kb") as knowledge_base,
        LocalLink(_plan(bench, folder, weights, codec.name)) as link,
    ):
        bare = BareLoop(clip, codec, knowledge_base, channel_chain(CHANNEL, pilots=PILOTS))
        bare.run(pictures, bench.batch_size, 1.0)  # warm
        _load(link.transmitter, bench, pictures, options, 1.0)
        rates, loads = [], []
        for _ in range(bench.turns):
            rates.append(bare.run(pictures, bench.batch_size, bench.seconds))
            loads.append(_load(link.transmitter, bench, pictures, options, bench.seconds))
        singles = _single_latencies(link.transmitter, pictures, options)
    return _report(bench, loads, rates, singles)


def _plan(bench: LinkBench, folder: Path, weights: str | None, codec: str) -> LinkPlan:
    flags = ["--clip", bench.clip, "--codec", codec, "--batch-size", str(bench.batch_size)]
    if weights is not None:
        flags += ["--weights", weights]
    return LinkPlan(folder / "kb", folder / "logs", source=None, flags={"transmitter": flags})


def _load(address: str, bench: LinkBench, pictures: list[bytes], options: SendOptions, seconds: float) -> Load:
    """One turn of load on a transmitter."""

    async def turn() -> Load:
        async with AsyncSemLink(address, timeout=120) as link:
            return await generate_load(link, pictures, seconds, options, concurrency=bench.concurrency, rate=bench.rate)

    return uvloop.run(turn())


def _single_latencies(address: str, pictures: list[bytes], options: SendOptions) -> list[float]:
    """What the link adds to one picture at a time, in ms: total without preprocess, encode and emulated stages."""
    with SemLink(address, timeout=120) as link:
        deliveries = [link.send(picture, **options) for picture in pictures[:100]]
    return [1e3 * _added_seconds(delivery) for delivery in deliveries[10:]]


def _added_seconds(delivery: Delivery) -> float:
    own = (Stage.PREPROCESS, Stage.ENCODE)
    return sum(entry.seconds for entry in delivery.ledger if entry.stage not in own and entry.kind is Kind.MEASURED)


def _report(bench: LinkBench, loads: list[Load], rates: list[float], singles: list[float]) -> dict[str, Any]:
    link_rate = float(np.median([load.per_second for load in loads]))
    report: dict[str, Any] = {
        "clip": bench.clip,
        "load": {"concurrency": bench.concurrency} if bench.rate is None else {"rate": bench.rate},
        "pictures": sum(len(load.latencies) for load in loads),
        "failures": sum(len(load.failures) for load in loads),
        "link_per_second": link_rate,
        "latency_ms": loads[-1].percentiles_ms(),
    }
    if rates:
        bare_rate = float(np.median(rates))
        ratios = [load.per_second / rate for load, rate in zip(loads, rates, strict=True)]
        report |= {
            "bare_per_second": bare_rate,
            "ratio": float(np.median(ratios)),
            "ratios": [round(ratio, 3) for ratio in ratios],
            "batch_size": bench.batch_size,
            "added_latency_ms": dict(zip(("p50", "p95"), map(float, np.percentile(singles, (50, 95))), strict=True)),
        }
    return report
