"""Top-1 against a vote of the nearest items, and against fusion with the category, over the SNR."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lab.knowledge_base.calibration import Queries
from lab.knowledge_base.neighbours import without
from lab.simulate.chain import channel_chain
from lab.simulate.embeddings import transmit_embeddings
from receiver.decision import vote
from receiver.knowledge_base.view import View
from receiver.label_posterior import CANDIDATES, LabelPosteriors, rank_by_posterior
from shared.codecs import Codec
from shared.phy import ChannelSettings, FadingName
from shared.types import Progress

RULES = ("nearest item", "vote by distance", "vote by distance and noise", "fusion with the category")
"""The last one exists for codecs with categories alone."""


@dataclass(frozen=True)
class RetrievalCurve:
    """Semantic accuracy of each of `RULES` that the codec has at each SNR: [levels] each."""

    codec: str
    fading: FadingName
    levels_db: tuple[float, ...]
    accuracy: dict[str, tuple[float, ...]]
    queries: int


def compare_retrieval(
    view: View,
    queries: Queries,
    codecs: Sequence[Codec],
    levels_db: Sequence[float],
    progress: Progress,
) -> list[RetrievalCurve]:
    """One curve for each codec and for AWGN and Rayleigh fading."""
    curves: list[RetrievalCurve] = []
    fadings: tuple[FadingName, ...] = ("none", "rayleigh")
    for codec in codecs:
        for fading in fadings:
            progress(len(curves), len(codecs) * len(fadings))
            rows = [
                _accuracies(view, queries, codec, ChannelSettings(snr_db=level, fading=fading)) for level in levels_db
            ]
            accuracy = {rule: tuple(row[rule] for row in rows) for rule in rows[0]}
            name = f"{codec.name} k = {codec.k}"
            curves.append(RetrievalCurve(name, fading, tuple(levels_db), accuracy, len(queries.labels)))
    progress(len(curves), len(curves))
    return curves


def _accuracies(view: View, queries: Queries, codec: Codec, channel: ChannelSettings) -> dict[str, float]:
    fusion = LabelPosteriors().of(codec, view)
    received = transmit_embeddings(queries.embeddings, codec, channel_chain(channel), fusion=fusion)
    positions, squared = without(queries.positions, *view.nearest(received.embeddings, CANDIDATES + 1))
    labels, rows = view.labels_of(positions), np.arange(len(positions))
    unknown = np.full(len(positions), np.nan)
    ballots = [vote(labels, squared, unknown), vote(labels, squared, received.n0)]
    if fusion is not None:
        ballots.append(rank_by_posterior(fusion, received.decoded, labels, squared)[0])
    answers = [labels[:, 0], *(labels[rows, ballot.winner] for ballot in ballots)]
    return {rule: float((answer == queries.labels).mean()) for rule, answer in zip(RULES, answers, strict=False)}
