"""Ranks items by label posterior and distance, for codecs with categories: see `shared.codecs.embedding.posterior`.

view --a sample of each label--> LabelPosterior, one for all codecs that have the same categories; renewed when the
knowledge base has changed

e_hat --200 nearest items--> candidates --log p(label | y) and distance--> best first
"""

from dataclasses import dataclass
from hashlib import blake2b
from time import monotonic
from typing import Final

import numpy as np

from receiver.decision import Ballot, ballot_of, cosines_of
from receiver.knowledge_base.view import View
from shared.codecs import Codec, Decoded
from shared.codecs.embedding.posterior import LabelPosterior
from shared.types import Embeddings, Floats, Ints, Positions

CANDIDATES: Final = 200
"""Nearest items that are ranked; the estimate lies among the items of its category, so one of these wins."""

_SAMPLE_OF_LABEL, _SAMPLE = 100, 20_000
"""Most items sampled per label, and in all, for the label prior."""

_REFRESH_SECONDS: Final = 10.0  # of a knowledge base that changes all the time while its labels stay


@dataclass(frozen=True)
class _Known:
    posterior: LabelPosterior | None
    version: int
    labels: tuple[str, ...]
    in_use: Positions
    made_at: float


@dataclass(frozen=True)
class _Sample:
    """Items of each label. version: of the view. made: posteriors, by the digest of what the categories are."""

    version: int
    embeddings: Embeddings
    labels: Ints
    made: dict[bytes, LabelPosterior]

    def posterior(self, codec: Codec) -> LabelPosterior | None:
        """That of a codec with categories; None without items."""
        if not len(self.labels):
            return None
        log_categories = codec.categories(self.embeddings)
        assert log_categories is not None
        digest = blake2b(np.ascontiguousarray(log_categories).data).digest()
        if digest not in self.made:
            self.made[digest] = LabelPosterior(log_categories, self.embeddings, self.labels)
        return self.made[digest]


class LabelPosteriors:
    """The label posterior of each codec with categories; two threads that ask at once both make it."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}
        self._sample: _Sample | None = None

    def of(self, codec: Codec, view: View) -> LabelPosterior | None:
        """That of a codec with this view; None for a codec without categories, or a view without items."""
        if codec.categories(np.empty((0, view.store.origin.dim), np.float32)) is None:
            return None
        known = self._known.get(codec.fingerprint)
        if known is None or _stale(known, view):
            known = self._known[codec.fingerprint] = _Known(
                self._of(view).posterior(codec), view.head.version, view.labels, view.labels_in_use, monotonic()
            )
        return known.posterior

    def _of(self, view: View) -> _Sample:
        """The sample of a view, the last one where that has not changed."""
        sample = self._sample
        if sample is None or sample.version != view.head.version:
            sample = self._sample = _sample(view)
        return sample


def rank_by_posterior(
    posterior: LabelPosterior, decoded: Decoded, labels: Ints, squared: Floats
) -> tuple[Ballot, Ints]:
    """Rank the candidates [B, n] of bursts of one codec, nearest first: the ballot, and the order, best first: [B, n].

    squared: [B, n], squared distance of each candidate to the direction of the estimate e_hat, which need not have
    length 1: the inner product is |e_hat| cos.
    """
    cosines = cosines_of(squared)
    lengths = np.linalg.norm(decoded.embeddings, axis=1, keepdims=True)
    log_label = posterior.log_label_of(decoded, labels)
    order = np.argsort(-posterior.scores(cosines * lengths, log_label), axis=1, kind="stable")
    rows, winner = np.arange(len(labels)), order[:, 0]
    share = np.exp(log_label[rows, winner].astype(np.float64))
    return ballot_of(winner, share, labels, cosines.astype(np.float64)), order


def _stale(known: _Known, view: View) -> bool:
    if known.version == view.head.version:
        return False
    if known.labels != view.labels or not np.array_equal(known.in_use, view.labels_in_use):
        return True  # a code may mean another label, after a snapshot was restored, or have items now or none
    return monotonic() - known.made_at > _REFRESH_SECONDS


def _sample(view: View) -> _Sample:
    """The first items of each label."""
    positions = _first_of_labels(view)
    embeddings = view.embeddings_of(positions)
    present = ~np.isnan(embeddings[:, 0])  # the others were removed after this view
    return _Sample(view.head.version, embeddings[present], view.labels_of(positions[present]), {})


def _first_of_labels(view: View) -> Ints:
    """Positions of the first items of each label."""
    positions = np.flatnonzero(view.live)
    codes = view.labels_of(positions)
    order = np.argsort(codes, kind="stable")
    labels, first, counts = np.unique(codes[order], return_index=True, return_counts=True)
    most = min(_SAMPLE_OF_LABEL, max(1, _SAMPLE // max(1, len(labels))))
    sample: Ints = np.sort(positions[order[np.arange(len(order)) - np.repeat(first, counts) < most]])
    return sample
