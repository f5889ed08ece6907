"""HARQ against bursts of a fixed length, over three processes: accuracy against the mean bandwidth.

pictures --codec nested, each k; or in rounds--> channel --> receiver: right?  symbols  rounds  latency
"""

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import binomtest

from client import Delivery, SemLink, SendOptions
from local.supervisor import LinkPlan, LocalLink
from shared.codecs.embedding.nested import Nested
from shared.datasets import open_source
from shared.errors import SemLinkError
from shared.types import Doubles, Progress

_WARM_UP = 8
_BUILD_SECONDS = 1800.0  # of a knowledge base that has to be embedded first


@dataclass(frozen=True)
class HarqBench:
    """What to measure.

    data: pictures, as in `semlink kb build`; their `query` part asks, their `kb` part answers. queries: how many.
    fadings, snrs_db: channels; pilots where there is fading. certainties, starts: of the asking, up to the longest
    code. propagation_seconds: emulated, of each round. timed: pictures that are sent one at a time for the latency;
    concurrency: of the others. kb: folder of the knowledge base, built where there is none; None for a folder that is
    thrown away. address: of the transmitter of a running link that answers with `data`, instead of one of its own.
    """

    data: str = "drawn"
    queries: int = 500
    fadings: tuple[str, ...] = ("none", "rayleigh")
    snrs_db: tuple[float, ...] = (-4.0, 0.0, 4.0)
    certainties: tuple[float, ...] = (0.9, 0.99, 0.999)
    starts: tuple[int, ...] = (8, 16, 32)
    propagation_seconds: float = 0.005
    timed: int = 50
    concurrency: int = 32
    kb: Path | None = None
    address: str | None = None


class Way(NamedTuple):
    """How a picture is sent. k: of the burst, or of the first round. certainty: None for one burst."""

    k: int
    k_max: int
    certainty: float | None

    @property
    def options(self) -> SendOptions:
        """For the client."""
        if self.certainty is None:
            return {"codec": Nested.name, "k": self.k}
        return {
            "codec": Nested.name, "k": self.k, "k_max": self.k_max, "certainty": self.certainty, "ask_for_more": True,
        }  # fmt: skip


@dataclass(frozen=True)
class HarqRow:
    """What one way gave over one channel.

    ci_low, ci_high: Wilson interval, 95 %. cbr, cbr_total, rounds: means. p50_ms, p95_ms: of the whole delivery, one
    picture at a time, emulated stages included. gain, gain_total: of a fixed length, what the askers' accuracy at equal
    mean cbr, or cbr_total, is above it; None where none of them is as cheap.
    """

    fading: str
    snr_db: float
    k: int
    k_max: int
    certainty: float | None
    n: int
    semantic_accuracy: float
    ci_low: float
    ci_high: float
    cbr: float
    cbr_total: float
    rounds: float
    p50_ms: float
    p95_ms: float
    gain: float | None = None
    gain_total: float | None = None


def bench_harq(bench: HarqBench, report: Progress = lambda *_: None) -> dict[str, Any]:
    """Every way over every channel. report: told (rows done, rows in all)."""
    pictures = _pictures(bench)
    with _transmitter(bench) as address, SemLink(address, timeout=120) as client:
        rows = compared(list(_rows(bench, client, pictures, report)))
    about = {name: value for name, value in asdict(bench).items() if name not in ("kb", "address")}
    return {**about, "queries": len(pictures), "rows": [asdict(row) for row in rows]}


@contextmanager
def _transmitter(bench: HarqBench) -> Iterator[str]:
    """The address of a link, its own or the one that runs."""
    if bench.address is not None:
        yield bench.address
        return
    with tempfile.TemporaryDirectory(prefix="semlink-bench-") as folder:
        plan = LinkPlan(bench.kb or Path(folder) / "kb", Path(folder) / "logs", bench.data, timeout=_BUILD_SECONDS)
        with LocalLink(plan) as link:
            yield link.transmitter


def ways(bench: HarqBench) -> list[Way]:
    """Each length in one burst; each certainty from each start."""
    longest = max(Nested.lengths)
    fixed = [Way(k, k, None) for k in Nested.lengths]
    askers = [Way(start, longest, certainty) for start, certainty in product(bench.starts, bench.certainties)]
    return fixed + askers


def compared(rows: Sequence[HarqRow]) -> list[HarqRow]:
    """The rows, each of a fixed length with its gains; rows of several channels may be mixed."""
    found = []
    for row in rows:
        askers = [r for r in rows if (r.fading, r.snr_db) == (row.fading, row.snr_db) and r.certainty is not None]
        if row.certainty is None and askers:
            gains = {name: _gain(row, askers, cbr) for name, cbr in (("gain", "cbr"), ("gain_total", "cbr_total"))}
            row = HarqRow(**asdict(row) | gains)  # noqa: PLW2901 - the same row, with its gains
        found.append(row)
    return found


def frontier(cbr: Iterable[float], accuracy: Iterable[float]) -> Doubles:
    """The best that a mix of settings reaches: corners (cbr, accuracy) of the upper hull, cheapest first: [n, 2].

    A sender that takes one of two settings by lot for each picture is on the line between them.
    """
    corners: list[tuple[float, float]] = []
    for x, y in sorted(zip(cbr, accuracy, strict=True), key=lambda point: (point[0], -point[1])):
        if corners and y <= corners[-1][1]:
            continue  # dearer, and no better
        while len(corners) > 1 and _slope(corners[-2], corners[-1]) <= _slope(corners[-1], (x, y)):
            corners.pop()
        corners.append((x, y))
    return np.array(corners)


def _slope(one: tuple[float, float], two: tuple[float, float]) -> float:
    return (two[1] - one[1]) / (two[0] - one[0]) if two[0] > one[0] else np.inf


def _gain(row: HarqRow, askers: Sequence[HarqRow], name: str) -> float | None:
    """What the frontier of the askers is above a row at its cbr; beyond its end it stays as good."""
    corners = frontier([getattr(each, name) for each in askers], [each.semantic_accuracy for each in askers])
    cbr = getattr(row, name)
    if cbr < corners[0, 0]:
        return None
    return float(np.interp(cbr, corners[:, 0], corners[:, 1])) - row.semantic_accuracy


def _pictures(bench: HarqBench) -> list[tuple[str, bytes]]:
    """Label and file of the queries, in one fixed random order."""
    source = list(open_source(bench.data, "query"))
    order = np.random.default_rng(0).permutation(len(source))[: bench.queries]
    return [(source[place].label, source[place].encoded()) for place in order]


def _rows(
    bench: HarqBench, client: SemLink, pictures: Sequence[tuple[str, bytes]], report: Progress
) -> Iterator[HarqRow]:
    todo = list(product(bench.fadings, bench.snrs_db, ways(bench)))
    report(0, len(todo))
    for done, (fading, snr_db, way) in enumerate(todo, 1):
        channel: dict[str, Any] = {
            "snr_db": snr_db,
            "fading": fading,
            "csi": "none" if fading == "none" else "pilot",
            "propagation_seconds": bench.propagation_seconds,
            "top_k": 1,
            "counter": 0,
            **way.options,
        }
        list(_sent(client, pictures[:_WARM_UP], 1, channel))
        found = list(_sent(client, pictures, bench.concurrency, channel))
        timed = list(_sent(client, pictures[: bench.timed], 1, channel))
        right = sum(delivery.label == label for delivery, (label, _) in zip(found, pictures, strict=True))
        yield _row((fading, snr_db), way, right, found, timed)
        report(done, len(todo))


def _sent(
    client: SemLink, pictures: Sequence[tuple[str, bytes]], in_flight: int, options: dict[str, Any]
) -> Iterator[Delivery]:
    files = [data for _, data in pictures]
    for answer in client.send_many(files, in_flight=in_flight, ordered=True, **options):
        if isinstance(answer.outcome, SemLinkError):
            raise answer.outcome
        yield answer.outcome


def _row(
    channel: tuple[str, float], way: Way, right: int, found: Sequence[Delivery], timed: Sequence[Delivery]
) -> HarqRow:
    interval = binomtest(right, len(found)).proportion_ci(0.95, "wilson")
    p50_ms, p95_ms = np.percentile([1e3 * delivery.total_seconds for delivery in timed], (50, 95)).tolist()
    return HarqRow(
        fading=channel[0],
        snr_db=channel[1],
        **way._asdict(),
        n=len(found),
        semantic_accuracy=right / len(found),
        ci_low=float(interval.low),
        ci_high=float(interval.high),
        cbr=float(np.mean([delivery.cbr for delivery in found])),
        cbr_total=float(np.mean([delivery.cbr_total for delivery in found])),
        rounds=float(np.mean([max(1, len(delivery.rounds)) for delivery in found])),
        p50_ms=p50_ms,
        p95_ms=p95_ms,
    )
