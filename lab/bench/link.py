"""The three-process link against a bare loop in one process, turn and turn about."""

import tempfile
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import uvloop

from client import AsyncSemLink, Delivery, Kind, SemLink, SendOptions
from lab.bench.bare import BareLoop
from lab.bench.fixtures import bench_pictures, random_knowledge_base, random_weights
from lab.bench.installation import Installation
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
    loop alternate this often. batch_size: of the encoder and of the bare loop. against: another installation, see
    `Installation`, which takes turns too; then all knowledge bases hold the same drawn pictures, those of source.
    curve: measure the ledger over the concurrency, too.
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
    against: str | None = None
    curve: bool = False
    source: str = "first:20:drawn"


def bench_link(bench: LinkBench) -> dict[str, Any]:
    """Throughput and latency of the link; with a bare loop beside it unless `bench.address` names a running link."""
    if bench.address is not None:
        loads = [_load(bench.address, bench, bench_pictures(), {}, bench.seconds)]
        report = _report(bench, loads, [], []) | _engine(bench.address)
        return report | _curve(bench, bench.address, bench_pictures(), {})
    with tempfile.TemporaryDirectory(prefix="semlink-bench-") as folder:
        return _against_bare_loop(bench, Path(folder))


def _against_bare_loop(bench: LinkBench, folder: Path) -> dict[str, Any]:
    weights = random_weights(folder, bench.clip) if bench.weights == RANDOM else bench.weights
    clip = load_clip(bench.clip, weights, engine="auto")  # as the transmitter does
    if bench.against is None:
        random_knowledge_base(folder / "kb", clip)
    shelf = CodecShelf(clip.device, clip.fingerprint)
    codec = of_embeddings(shelf.get(bench.codec or ("kbsc" if bench.clip == "clip-tiny" else "raw")))
    pictures = bench_pictures()
    options: SendOptions = {"codec": codec.name, "k": codec.k, "snr_db": CHANNEL.snr_db, "pilot_symbols": PILOTS}
    flags = _flags(bench, weights, codec.name)
    source = None if bench.against is None else bench.source
    with ExitStack() as stack:
        link = stack.enter_context(LocalLink(LinkPlan(folder / "kb", folder / "logs", source, flags=flags)))
        knowledge_base = stack.enter_context(KnowledgeBase.open(folder / "kb", writable=False))
        links = [link.transmitter]
        if bench.against is not None:
            other = stack.enter_context(Installation(bench.against, folder / "other", bench.source, flags))
            links.append(other.transmitter)
        bare = BareLoop(clip, codec, knowledge_base, channel_chain(CHANNEL, pilots=PILOTS))
        bare.run(pictures, bench.batch_size, 1.0)  # warm
        loads: dict[str, list[Load]] = {address: [] for address in links}
        for address in links:
            _load(address, bench, pictures, options, 1.0)
        rates = []
        for _ in range(bench.turns):
            rates.append(bare.run(pictures, bench.batch_size, bench.seconds))
            for address in links:
                loads[address].append(_load(address, bench, pictures, options, bench.seconds))
        singles = _single_latencies(link.transmitter, pictures, options)
        report = _report(bench, loads[link.transmitter], rates, singles) | _engine(link.transmitter)
        report["bare_engine"] = f"{clip.engine} {clip.precision}"
        if bench.against is not None:
            report |= _compared(loads[link.transmitter], loads[links[1]])
        return report | _curve(bench, link.transmitter, pictures, options)


def _flags(bench: LinkBench, weights: str | None, codec: str) -> dict[str, list[str]]:
    """Flags of the services. The receiver too has a CLIP, where it builds its knowledge base."""
    clip = ["--clip", bench.clip, *(["--weights", weights] if weights is not None else [])]
    transmitter = [*clip, "--codec", codec, "--batch-size", str(bench.batch_size)]
    return {"transmitter": transmitter} | ({"receiver": clip} if bench.against is not None else {})


def _engine(address: str) -> dict[str, str]:
    """What runs the transmitter's CLIP, and in which precision."""
    with SemLink(address, timeout=120) as link:
        about = link.describe()
    return {"engine": f"{about.engine} {about.precision}"}


def _compared(loads: Sequence[Load], others: Sequence[Load]) -> dict[str, Any]:
    """Pictures a second of the other installation, and this one's over them, turn by turn."""
    ratios = [load.per_second / other.per_second for load, other in zip(loads, others, strict=True)]
    return {
        "other_per_second": float(np.median([other.per_second for other in others])),
        "ratio_to_other": float(np.median(ratios)),
        "ratios_to_other": [round(ratio, 3) for ratio in ratios],
    }


def _curve(bench: LinkBench, address: str, pictures: list[bytes], options: SendOptions) -> dict[str, Any]:
    """The ledger with 1, 2, 4 ... pictures in flight, where it is asked for."""
    if not bench.curve:
        return {}
    steps = [2**power for power in range(max(1, bench.concurrency).bit_length())]
    loads = {step: _load(address, replace(bench, concurrency=step, rate=None), pictures, options) for step in steps}
    return {"curve": [_point(step, load) for step, load in loads.items()]}


def _point(concurrency: int, load: Load) -> dict[str, Any]:
    """Pictures a second, latency in ms, and the mean of each measured stage in ms."""
    sums: dict[str, float] = defaultdict(float)
    for delivery in load.deliveries:
        for entry in delivery.ledger:
            if entry.kind is Kind.MEASURED:
                sums[entry.stage] += 1e3 * entry.seconds / len(load.deliveries)
    return {"concurrency": concurrency, "per_second": load.per_second, **load.percentiles_ms(), "stages_ms": dict(sums)}


def _load(
    address: str, bench: LinkBench, pictures: list[bytes], options: SendOptions, seconds: float | None = None
) -> Load:
    """One turn of load on a transmitter. seconds: those of the bench without them."""
    length = bench.seconds if seconds is None else seconds

    async def turn() -> Load:
        async with AsyncSemLink(address, timeout=120) as link:
            flight = bench.concurrency
            return await generate_load(link, pictures, length, options, concurrency=flight, rate=bench.rate)

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
