"""One point of the grid to one row of the table."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest

from lab.evaluate.data import TestSet
from lab.evaluate.scenario import ChannelSpec, Point, Scenario, SchemeSpec
from lab.evaluate.scheme import Arrival, Batch, Scheme
from lab.evaluate.scorer import Score, Scorer
from lab.evaluate.table import Row
from shared.phy.conditions.settings import HEADER_SYMBOLS

NOTHING = float("nan")
CONFIDENCE = 0.95


def measure(point: Point, scheme: Scheme, scorer: Scorer) -> Row:
    """Send the queries, all seeds or until there are errors enough, and score what arrives."""
    outcomes: list[tuple[Arrival, Score]] = []
    errors = 0
    for arrival, score in _sent(point, scheme, scorer):
        outcomes.append((arrival, score))
        errors += int(np.sum(~score.right))
        if point.stop_errors and errors >= point.stop_errors:
            break
    return _filled(nothing_sent(point, scorer.test_set, scheme.genie), outcomes)


def measure_schemes(
    schemes: Iterable[Scheme],
    scorer: Scorer,
    *,
    snrs_db: Sequence[float],
    channels: Sequence[ChannelSpec],
    queries: int = 0,
) -> list[Row]:
    """A row of each scheme, channel and SNR, for model cards. queries: how many to send, 0 for all."""
    rows = []
    for scheme in schemes:
        spec = SchemeSpec(name="card", k=(scheme.k,))
        grid = Scenario(title="card", snr_db=snrs_db, scheme=(spec,), channel=channels, queries=queries)
        rows += [measure(point, scheme, scorer) for point in grid.points()]
    return rows


def nothing_sent(point: Point, test_set: TestSet, genie: tuple[str, ...] = ()) -> Row:
    """The row of a point before anything is sent, and final where the scheme does not support this k."""
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


def _sent(point: Point, scheme: Scheme, scorer: Scorer) -> Iterator[tuple[Arrival, Score]]:
    queries, pixels = scorer.test_set.queries.embeddings, scorer.test_set.pixels
    told = point.snr_db if point.sender_snr else None
    for seed, members in product(point.seeds, scorer.blocks(point.queries)):
        arrival = scheme.send(Batch(queries[members], pixels[members], members, told), point.chain(seed))
        yield arrival, scorer.score(members, arrival)


def _filled(row: Row, outcomes: Sequence[tuple[Arrival, Score]]) -> Row:
    arrivals, scores = zip(*outcomes, strict=True)
    right = np.concatenate([score.right for score in scores])
    interval = binomtest(int(right.sum()), right.size).proportion_ci(CONFIDENCE, "wilson")
    return replace(
        _with_channel_uses(row, arrivals),
        n=right.size,
        semantic_accuracy=float(right.mean()),
        ci_low=float(interval.low),
        ci_high=float(interval.high),
        semantic_agreement=_mean([score.agrees for score in scores]),
        cosine=_mean([score.cosine for score in scores]),
        knn_overlap_at_10=_mean([score.overlap for score in scores]),
        bler=_mean([score.lost for score in scores]),
        psnr_db=_mean([score.psnr_db for score in scores]),
        encode_ms=1e3 * sum(arrival.encode_seconds for arrival in arrivals) / right.size,
        decode_ms=1e3 * sum(arrival.decode_seconds for arrival in arrivals) / right.size,
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
