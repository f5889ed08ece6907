"""The way of one question: how long each stage takes in the running link, one question after the other."""

import os
import tempfile
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from client import SemLink
from client.options import AskOptions
from lab.bench.link import CHANNEL
from local.supervisor import LinkPlan, LocalLink
from shared.datasets.decoding import encode_png
from shared.datasets.scenes import draw_scenes, questions_about
from shared.ledger import Kind

_SOURCE = "first:20:drawn"
_WARMING = 5


@dataclass(frozen=True)
class AskBench:
    """What to measure. codec, bits: of the pictures. address: of a running link, in place of one of its own."""

    questions: int = 60
    codec: str = "uo-isc"
    bits: int = 384
    address: str | None = None


def bench_ask(bench: AskBench) -> dict[str, Any]:
    """Medians in ms of each stage and of the whole, its 95th percentile, and the machine's load before and after."""
    scenes = range(bench.questions + _WARMING)
    pictures = [encode_png(pixels) for pixels in draw_scenes("seen", scenes).pixels]
    texts = questions_about("seen", scenes, 1).texts()
    options: AskOptions = {"codec": bench.codec, "bits": bench.bits, "snr_db": CHANNEL.snr_db, "design_snr_db": 5.0}
    before, times = os.getloadavg()[0], defaultdict(list)
    with ExitStack() as stack:
        address = bench.address or stack.enter_context(_link(stack)).transmitter
        client = stack.enter_context(SemLink(address, timeout=120))
        for number, (picture, text) in enumerate(zip(pictures, texts, strict=True)):
            delivery = client.ask(picture, text, **options)
            if number >= _WARMING:
                times["total"].append(delivery.total_seconds)
                for entry in delivery.ledger:
                    if entry.kind is Kind.MEASURED:
                        times[entry.stage].append(entry.seconds)
    stages = {name: 1e3 * float(np.median(each)) for name, each in times.items() if name != "total"}
    p50, p95 = (1e3 * float(each) for each in np.percentile(times["total"], (50, 95)))
    load = {"load_before": before, "load_after": os.getloadavg()[0]}
    return {"p50_ms": p50, "p95_ms": p95, "stages_ms": stages, "cores": os.cpu_count(), **load}


def _link(stack: ExitStack) -> LocalLink:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="semlink-bench-")))
    return LocalLink(LinkPlan(folder / "kb", folder / "logs", _SOURCE))
