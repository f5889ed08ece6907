"""Leak tests: schemes that know more than what arrives.

`data.check_apart` looks for pictures that are on both sides. Two more tests are here: a scheme must not answer better
than chance over a dead channel, and a row must not exceed its upper bound.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from scipy.stats import binomtest

from lab.evaluate.scenario import ChannelSpec, Scenario, SchemeSpec
from lab.evaluate.scheme import Batch, CannotExist, Scheme
from lab.evaluate.scorer import Scorer
from shared.errors import InvalidInput

DEAD_SNR_DB = -50.0
CHANCE = 1e-6
"""False-alarm rate of the leak test."""
TOLERANCE = 0.02
"""Tolerance of the upper bound: its classifier is measured on a sample, and need not be the best."""


class Leak(InvalidInput):
    """A scheme knows more than what arrived."""


def check_dead_channel(name: str, scheme: Scheme, scorer: Scorer) -> None:
    """Raise Leak when a scheme is right more often than chance allows over AWGN of -50 dB."""
    labels = scorer.test_set.query_labels
    members = scorer.blocks(0)[0]
    (point,) = Scenario(
        title="dead",
        snr_db=(DEAD_SNR_DB,),
        scheme=(SchemeSpec(name=name, k=(scheme.k,)),),
        channel=(ChannelSpec(csi=("none",)),),
    ).points()
    queries = scorer.test_set.queries.embeddings[members]
    batch = Batch(queries, scorer.test_set.pixels[members], members, point.snr_db)
    try:
        arrival = scheme.send(batch, point.chain(seed=0))
    except CannotExist:  # what sends nothing leaks nothing
        return
    right = scorer.score(members, arrival).right
    guess = float(np.bincount(labels).max() / len(labels))
    if binomtest(int(right.sum()), right.size, guess, alternative="greater").pvalue < CHANCE:
        raise Leak(
            f"{name} k = {scheme.k} is right for {right.mean():.1%} of pictures at {DEAD_SNR_DB:g} dB, where nothing "
            f"arrives and guessing gives {guess:.1%}: something bypasses the channel"
        )


def too_good(rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Rows of a table above their upper bound by more than chance and `TOLERANCE` allow."""
    return [
        row
        for row in rows
        if row["n"]
        and row["upper_bound"] + TOLERANCE < row["semantic_accuracy"]
        and binomtest(round(row["semantic_accuracy"] * row["n"]), row["n"], row["upper_bound"], "greater").pvalue
        < CHANCE
    ]
