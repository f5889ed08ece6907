"""What a scheme gains over another at equal accuracy: decibels at equal bandwidth, bandwidth at equal SNR."""

import math
from collections.abc import Sequence

import numpy as np
import polars as pl

from lab.report.results import Results

LEVELS = (0.3, 0.4, 0.5, 0.55, 0.6)
HALF = 0.5
"""Accuracy at which bandwidths are compared."""


def needed(x: Sequence[float], accuracy: Sequence[float], level: float) -> float:
    """Least x at which a rising curve reaches a level, between its points by straight lines.

    NaN where it never does. Minus infinity where it has at its first point: less would do, by an unknown amount.
    """
    reached = np.flatnonzero(np.asarray(accuracy) >= level)
    if not reached.size:
        return math.nan
    at = int(reached[0])
    if at == 0:
        return -math.inf
    share = (level - accuracy[at - 1]) / (accuracy[at] - accuracy[at - 1])
    return x[at - 1] + share * (x[at] - x[at - 1])


def snr_needed(results: Results, scheme: str, channel: tuple[str, str], k: int, level: float) -> float:
    """SNR in dB that a scheme of length k needs for an accuracy; see `needed`."""
    rows = results.of(scheme=scheme, fading=channel[0], csi=channel[1], k=k)
    return needed(rows["snr_db"].to_list(), rows["semantic_accuracy"].to_list(), level)


def symbols_needed(results: Results, scheme: str, channel: tuple[str, str], snr_db: float, level: float) -> float:
    """Complex symbols of payload that a scheme needs for an accuracy at an SNR, between its lengths in log scale."""
    rows = results.of(scheme=scheme, fading=channel[0], csi=channel[1], snr_db=snr_db).sort("k")
    found = needed(rows["k"].log(2).to_list(), rows["semantic_accuracy"].to_list(), level)
    return found if math.isnan(found) else (2**found / 2 if math.isfinite(found) else found)


def lengths(results: Results) -> list[int]:
    """Lengths at which at least two schemes were sent."""
    counted = results.rows.filter(pl.col("n") > 0).group_by("k").agg(pl.col("scheme").n_unique()).sort("k")
    return counted.filter(pl.col("scheme") > 1)["k"].to_list()
