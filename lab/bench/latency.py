"""The way of one picture: each stage alone in a process, the same stage in the running link, and their ratio."""

import math
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import numpy as np

from client import Delivery, SemLink
from client.options import SendOptions
from lab.bench.echo import Echo
from lab.bench.fixtures import bench_pictures
from lab.bench.installation import Installation
from lab.bench.link import CHANNEL, PILOTS
from lab.simulate.chain import channel_chain
from local.supervisor import LinkPlan, LocalLink
from receiver.knowledge_base import KnowledgeBase
from receiver.label_posterior import CANDIDATES
from shared.clip import load_clip
from shared.codecs import CodecShelf
from shared.codecs.base.picture import of_embeddings
from shared.datasets.decoding import decode_picture
from shared.ledger import Kind, Stage

HOPS: Final = 3
_WAY: Final = "access, wire, other"
_PACED: Final = "paced"
_PAUSE_SECONDS: Final = 0.01
"""Between two ping-pongs that are paced as those of a link, which carries one picture at a time."""
_WAY_STAGES: Final = frozenset({Stage.ACCESS, Stage.WIRE, Stage.OTHER})

Times = dict[str, list[float]]
"""Seconds by stage."""


@dataclass(frozen=True)
class LatencyBench:
    """What to measure. pictures: of each turn, one by one. against: another installation, see `Installation`.

    source: what the knowledge bases are built from.
    """

    codec: str = "nested"
    k: int = 64
    pictures: int = 40
    turns: int = 5
    against: str | None = None
    source: str = "first:20:drawn"


def bench_latency(bench: LatencyBench) -> dict[str, Any]:
    """Medians in ms of each stage `alone`, which is its floor, in the `link`, and the `ratio` of the two.

    The floor of the way there and back is three bare gRPC ping-pongs, one after the other. `paced_ms` are three that
    begin 10 ms apart, as a link's do: a process that slept is slower, whatever it runs. Everything takes turns in one
    run. With `bench.against` the other installation's link takes turns too, and `ratio_to_other` compares the links.
    """
    pictures = bench_pictures(bench.pictures)
    options: SendOptions = {"codec": bench.codec, "k": bench.k, "snr_db": CHANNEL.snr_db, "pilot_symbols": PILOTS}
    alone, link, other = Times(), Times(), Times()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="semlink-bench-")))
        running = stack.enter_context(LocalLink(LinkPlan(folder / "kb", folder / "logs", bench.source)))
        near = stack.enter_context(SemLink(running.transmitter, timeout=120))
        echo, stages = stack.enter_context(Echo()), _stages(bench, near, folder / "kb", stack)
        turns: list[Callable[[], None]] = [
            lambda: _book(alone, _alone(stages, pictures)),
            lambda: _book(alone, {_WAY: [HOPS * each for each in echo.ping_pongs(len(pictures))]}),
            lambda: _book(
                alone, {_PACED: [HOPS * each for each in echo.ping_pongs(len(pictures), pause=_PAUSE_SECONDS)]}
            ),
            lambda: _book(link, _sent(near, pictures, options)),
        ]
        if bench.against is not None:
            installed = stack.enter_context(Installation(bench.against, folder / "other", bench.source))
            far = stack.enter_context(SemLink(installed.transmitter, timeout=120))
            turns.append(lambda: _book(other, _sent(far, pictures, options)))
        for times in range(bench.turns + 1):
            for turn in turns:
                turn()
            if not times:  # the first round warms up
                for each in (alone, link, other):
                    each.clear()
        engine = near.describe().engine
    return {"engine": engine, **_table(alone, link, other)}


def _stages(bench: LatencyBench, near: SemLink, folder: Path, stack: ExitStack) -> Mapping[str, Callable[[Any], Any]]:
    """The stages in their order, each a function of what the one before it gives."""
    described = near.describe()
    clip = load_clip(precision=described.precision, engine=described.engine)
    codec = of_embeddings(CodecShelf(clip.device, clip.fingerprint).get(bench.codec, bench.k))
    view = stack.enter_context(KnowledgeBase.open(folder, writable=False)).view
    chain = channel_chain(CHANNEL, pilots=PILOTS)
    return {
        Stage.PREPROCESS: lambda data: clip.preprocess(decode_picture(data, target_size=clip.image_size).image)[None],
        Stage.ENCODE: clip.embed_images,
        Stage.COMPRESS: codec.encode,
        "channel, equalize": lambda x: chain.carry(x, np.zeros(1, np.int64), codec.equalizer),
        Stage.DECODE: lambda found: codec.decode(found.x_hat, found.n0_eff).embeddings,
        Stage.SEARCH: lambda embeddings: view.nearest(embeddings, CANDIDATES),
    }


def _alone(stages: Mapping[str, Callable[[Any], Any]], pictures: Iterable[bytes]) -> Times:
    found = defaultdict(list)
    for picture in pictures:
        value: Any = picture
        for name, stage in stages.items():
            start = perf_counter()
            value = stage(value)
            found[name].append(perf_counter() - start)
    return found


def _sent(link: SemLink, pictures: Iterable[bytes], options: SendOptions) -> Times:
    found = defaultdict(list)
    for picture in pictures:
        start = perf_counter()
        delivery = link.send(picture, **options)
        found["total"].append(perf_counter() - start)
        for name, seconds in _by_stage(delivery).items():
            found[name].append(seconds)
    return found


def _by_stage(delivery: Delivery) -> dict[str, float]:
    """Measured seconds, with what has no floor of its own joined to what has one."""
    joined = dict.fromkeys(_WAY_STAGES, _WAY) | dict.fromkeys((Stage.CHANNEL, Stage.EQUALIZE), "channel, equalize")
    sums: dict[str, float] = defaultdict(float)
    for entry in delivery.ledger:
        if entry.kind is Kind.MEASURED:
            stage = Stage(entry.stage)
            sums[joined.get(stage, stage)] += entry.seconds
    return sums


def _book(times: Times, more: Mapping[str, list[float]]) -> None:
    for name, seconds in more.items():
        times.setdefault(name, []).extend(seconds)


def _table(alone: Times, link: Times, other: Times) -> dict[str, Any]:
    floors, links, others = ({name: _median_ms(each) for name, each in times.items()} for times in (alone, link, other))
    paced = floors.pop(_PACED)
    floors["total"] = sum(floors.values())
    order = [*(name for name in links if name != "total"), "total"]
    table = {name: _row(floors.get(name), links[name], others.get(name)) for name in order}
    table[_WAY]["paced_ms"] = paced
    return table


def _row(floor: float | None, link: float, other: float | None) -> dict[str, float]:
    row = {"link_ms": link} if floor is None else {"alone_ms": floor, "link_ms": link, "ratio": link / floor}
    if other is None:
        return row
    # The median wait in a queue can be none at all.
    return row | {"other_ms": other, "ratio_to_other": link / other if other else math.nan}


def _median_ms(seconds: list[float]) -> float:
    return 1e3 * float(np.median(seconds))
