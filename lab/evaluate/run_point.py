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
from lab.simulate.rounds import Sent
from shared.frame.burst import IDEAL_HEADER_SYMBOLS, CodecSpec
from shared.phy.channel.ofdm import air_symbols
from shared.wire.link import configuration_symbols

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
    row = nothing_sent(point, scorer.test_set, scheme.genie, scheme.lengths)
    return _filled(row, outcomes, scorer.test_set.source_values)


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


def nothing_sent(point: Point, test_set: TestSet, genie: tuple[str, ...] = (), lengths: tuple[int, ...] = ()) -> Row:
    """The row of a point before anything is sent, and final where the scheme does not support this k.

    lengths: see `Scheme`.
    """
    symbols = point.k // 2
    told = ("gain and n0",) if point.csi == "perfect" else ()
    header, configured = _framing_symbols(point, test_set.clip_fingerprint, lengths or (point.k,))
    if point.framing == "ideal":
        told = (*told, "header")
    sent = symbols + point.pilots + (0 if point.framing == "ideal" else header)
    waveform = air_symbols(point.channel.grid, sent) - sent
    return Row(
        scheme=point.scheme.name,
        k=point.k,
        cbr=symbols / test_set.source_values,
        cbr_total=(symbols + point.pilots + header + waveform) / test_set.source_values,
        framing=point.framing,
        header_symbols=float(header),
        waveform_symbols=float(waveform),
        configuration_symbols=configured,
        fading=point.channel.fading,
        csi=point.csi,
        genie=", ".join(told + genie),
        snr_db=point.snr_db,
    )


def _framing_symbols(point: Point, clip_fingerprint: str, lengths: tuple[int, ...]) -> tuple[int, int]:
    """Symbols of the header of a first burst, and of the control message."""
    if point.framing == "ideal":
        return IDEAL_HEADER_SYMBOLS, 0
    codecs = [CodecSpec(point.scheme.codec.rpartition(":")[2], k, "0" * 16, clip_fingerprint) for k in lengths]
    posteriors = [1.0] * (len(lengths) - 1) + [0.0]
    configuration = point.chain(seed=0).configuration(codecs, posteriors)
    return configuration.header_symbols, configuration_symbols(configuration)


def _sent(point: Point, scheme: Scheme, scorer: Scorer) -> Iterator[tuple[Arrival, Score]]:
    queries, pixels = scorer.test_set.queries.embeddings, scorer.test_set.pixels
    told = point.snr_db if point.sender_snr else None
    for seed, members in product(point.seeds, scorer.blocks(point.queries)):
        arrival = scheme.send(Batch(queries[members], pixels[members], members, told), point.chain(seed))
        yield arrival, scorer.score(members, arrival)


def _filled(row: Row, outcomes: Sequence[tuple[Arrival, Score]], source_values: int) -> Row:
    arrivals, scores = zip(*outcomes, strict=True)
    right = np.concatenate([score.right for score in scores])
    interval = binomtest(int(right.sum()), right.size).proportion_ci(CONFIDENCE, "wilson")
    return replace(
        _with_channel_uses(row, arrivals, source_values),
        n=right.size,
        semantic_accuracy=float(right.mean()),
        ci_low=float(interval.low),
        ci_high=float(interval.high),
        semantic_agreement=_mean([score.agrees for score in scores]),
        cosine=_mean([score.cosine for score in scores]),
        knn_overlap_at_10=_mean([score.overlap for score in scores]),
        bler=_mean([score.lost for score in scores]),
        psnr_db=_mean([score.psnr_db for score in scores]),
        header_bler=_mean([each.headers and each.headers.lost for each in arrivals]),
        header_undetected=_mean([each.headers and each.headers.undetected for each in arrivals]),
        encode_ms=1e3 * sum(arrival.encode_seconds for arrival in arrivals) / right.size,
        decode_ms=1e3 * sum(arrival.decode_seconds for arrival in arrivals) / right.size,
    )


def _with_channel_uses(row: Row, arrivals: Sequence[Arrival], source_values: int) -> Row:
    """The row with the mean cbr and cbr_total of a scheme that sends more of some pictures than of others."""
    parts = [each.sent for each in arrivals if each.sent is not None]
    if not parts:
        return row
    mean = Sent(*(float(np.mean(np.concatenate(column))) for column in zip(*parts, strict=True)))
    return replace(
        row,
        cbr=mean.payload / source_values,
        cbr_total=mean.total / source_values,
        header_symbols=mean.header,
        waveform_symbols=mean.waveform,
    )


def _mean(parts: Sequence[npt.NDArray[Any] | None]) -> float:
    """Mean over all parts; NaN where the scheme has no such figure."""
    known = [part for part in parts if part is not None]
    return float(np.mean(np.concatenate(known))) if known else NOTHING
