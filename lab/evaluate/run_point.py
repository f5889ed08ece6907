"""One point of the grid to one row of the table."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest

from lab.evaluate.data import TestSet
from lab.evaluate.scenario import Point
from lab.evaluate.scheme import Arrival, Batch, Scheme
from lab.evaluate.scorer import Score, Scorer
from lab.evaluate.table import Row
from lab.simulate.air import Air
from shared.phy.conditions.timing import HEADER_SYMBOLS

NOTHING = float("nan")
CONFIDENCE = 0.95


def measure(point: Point, scheme: Scheme, judge: Scorer) -> Row:
    """Send the queries, all seeds or until there are errors enough, and judge what arrives."""
    outcomes: list[tuple[Arrival, Score]] = []
    errors = 0
    for arrival, verdict in _sent(point, scheme, judge):
        outcomes.append((arrival, verdict))
        errors += int(np.sum(~verdict.right))
        if point.stop_errors and errors >= point.stop_errors:
            break
    return _filled(nothing_sent(point, judge.test_set, scheme.genie), scheme, outcomes)


def nothing_sent(point: Point, test_set: TestSet, genie: tuple[str, ...] = ()) -> Row:
    """The row of a point before anything is sent, and for ever where the scheme has no form at this length."""
    symbols = point.k // 2
    told = ("gain and n0",) if point.csi == "perfect" else ()
    return Row(
        scheme=point.scheme.name,
        k=point.k,
        cbr=symbols / test_set.source_values,
        cbr_total=(symbols + point.pilots + HEADER_SYMBOLS) / test_set.source_values,
        fading=point.channel.fading,
        csi=point.csi,
        genie=", ".join(told + genie),
        snr_db=point.snr_db,
    )


def _sent(point: Point, scheme: Scheme, judge: Scorer) -> Iterator[tuple[Arrival, Score]]:
    queries, pixels = judge.test_set.queries.embeddings, judge.test_set.pixels
    told = point.snr_db if point.sender_snr else None
    for seed, members in product(point.seeds, judge.blocks(point.queries)):
        arrival = scheme.send(Batch(queries[members], pixels[members], told), Air(point, seed, members))
        yield arrival, judge.judge(members, arrival)


def _filled(row: Row, scheme: Scheme, outcomes: Sequence[tuple[Arrival, Score]]) -> Row:
    arrivals, verdicts = zip(*outcomes, strict=True)
    right = np.concatenate([verdict.right for verdict in verdicts])
    interval = binomtest(int(right.sum()), right.size).proportion_ci(CONFIDENCE, "wilson")
    return replace(
        _with_channel_uses(row, arrivals),
        n=right.size,
        semantic_accuracy=float(right.mean()),
        ci_low=float(interval.low),
        ci_high=float(interval.high),
        semantic_agreement=_mean([verdict.agrees for verdict in verdicts]),
        cosine=_mean([verdict.cosine for verdict in verdicts]),
        knn_overlap_at_10=_mean([verdict.overlap for verdict in verdicts]),
        bler=_mean([verdict.lost for verdict in verdicts]),
        psnr_db=_mean([verdict.psnr_db for verdict in verdicts]),
        encode_ms=1e3 * sum(arrival.encode_seconds for arrival in arrivals) / right.size,
        decode_ms=1e3 * sum(arrival.decode_seconds for arrival in arrivals) / right.size,
        params=scheme.cost.params,
        macs=scheme.cost.macs,
    )


def _with_channel_uses(row: Row, arrivals: Sequence[Arrival]) -> Row:
    """The row with the mean cbr and cbr_total of a scheme that sends more of some pictures than of others."""
    symbols, bursts = (_mean([getattr(each, name) for each in arrivals]) for name in ("payload_symbols", "bursts"))
    if np.isnan(symbols):
        return row
    cbr = symbols / (row.k // 2) * row.cbr
    return replace(row, cbr=cbr, cbr_total=cbr + bursts * (row.cbr_total - row.cbr))


def _mean(parts: Sequence[npt.NDArray[Any] | None]) -> float:
    """Mean over all parts; NaN where the scheme has no such figure."""
    known = [part for part in parts if part is not None]
    return float(np.mean(np.concatenate(known))) if known else NOTHING
