"""Top-1 against a vote of the nearest items, over the SNR."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lab.kb.calibration import Progress, Queries
from lab.kb.neighbours import without
from lab.kb.traffic import Received, transmit
from receiver.decision import VOTERS, vote
from receiver.knowledge_base.view import View
from shared.channel import ChannelSettings, FadingName
from shared.codecs import Codec

RULES = ("nearest item", "vote by distance", "vote by distance and noise")


@dataclass(frozen=True)
class RetrievalCurve:
    """Semantic accuracy of each of `RULES` at each SNR: [levels] each."""

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
            accuracy = {rule: tuple(row[rule] for row in rows) for rule in RULES}
            name = f"{codec.name} k = {codec.k}"
            curves.append(RetrievalCurve(name, fading, tuple(levels_db), accuracy, len(queries.labels)))
    progress(len(curves), len(curves))
    return curves


def _accuracies(view: View, queries: Queries, codec: Codec, channel: ChannelSettings) -> dict[str, float]:
    received: Received = transmit(queries.embeddings, codec, [channel])
    positions, cosines = without(queries.positions, *view.nearest(received.embeddings, VOTERS + 1))
    labels, rows = view.labels_of(positions), np.arange(len(positions))
    unknown = np.full(len(positions), np.nan)
    answers = {
        "nearest item": labels[:, 0],
        "vote by distance": labels[rows, vote(labels, cosines, unknown).winner],
        "vote by distance and noise": labels[rows, vote(labels, cosines, received.n0).winner],
    }
    return {rule: float((answer == queries.labels).mean()) for rule, answer in answers.items()}
