"""Ranks items by label posterior and distance to the decoded embedding.

    items, labels --codec.categories--> p(c | label)         once for a knowledge base
    e_hat, log p(c | y) --> score(i) = log p(label_i | y) - |e_hat - e_i|^2 / (2 v)         for each burst

The codec's category probabilities, averaged over the items of a label, link its categories to the labels:

    p(label | y) ~ p(label) sum over c of p(c | y) / p(c) p(c | label)

One more label, "none of these", stands for pictures whose category is not in the knowledge base. Its prior is 0.1, and
its p(c | none) = max(0, 1/C - mean p(c | label)), normalized. It is never an answer, but reduces the probability of the
other labels. The decoder does not use it.

The first term is taken TRUST times. Categories that were found without labels, or learned from few examples, may cut
through the labels; then, by leave-one-out over some of the items, a smaller trust names their labels better, down to 0,
where the distance alone decides. Where the full trust is not worse beyond doubt, it stays.

v is the mean squared distance of an item from the centre of its label. All labels have the same prior, however many
items they have. The score is computed for all items, N D operations a burst as in a flat index. With an approximate
index, searching the few labels with the largest p(label | y) and the nearest items overall would suffice.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from shared.codecs.base.contract import Decoded, LogProbabilities
from shared.types import Bools, Embeddings, Floats, Ints

_LEAST = 1e-4  # least probability of a category within a label: a few items do not rule one out
_LEAST_SPREAD = 1e-3
_JUDGES = 500  # items that ask
TRUSTS: Final = (1.0, 0.25, 0.0625, 0.015625, 0.0)
_NONE = 0.1  # prior of a picture that none of the labels fits


class LabelPosterior:
    """Posterior of a knowledge base's labels and items under one codec."""

    def __init__(self, log_categories: LogProbabilities | None, embeddings: Embeddings, labels: Ints) -> None:
        """log_categories: [N, C], `Codec.categories` of the items, of a codec that has some.

        embeddings: [N, D], float32, unit length, of all items or of some of each label. labels: [N], a number for each
        label, 0 or more; not all of them need have items.
        """
        assert log_categories is not None, "the codec has no categories: rank by distance alone"
        self._embeddings, self._labels = embeddings, labels
        self._codes, places = np.unique(labels, return_inverse=True)
        means = _means_of_groups(np.exp(log_categories), places) + _LEAST
        self._given_label = means / means.sum(axis=1, keepdims=True)
        self._prior = self._given_label.mean(axis=0)
        lacking = np.maximum(1 / len(self._prior) - self._prior, 0) + _LEAST / len(self._prior)
        self._given_none = lacking / lacking.sum()
        centres = _means_of_groups(embeddings, places)
        self._variance = max(float(np.mean(np.sum((embeddings - centres[places]) ** 2, axis=1))), _LEAST_SPREAD)
        self.trust = self._best_trust(log_categories)

    @property
    def log_prior(self) -> LogProbabilities:
        """Log-prior of each category, for `Codec.with_prior`: [C]."""
        prior: LogProbabilities = np.log(self._prior).astype(np.float32)
        return prior

    def log_labels(self, decoded: Decoded) -> LogProbabilities:
        """Log-probability of each label: [B, largest + 1], float32, minus infinity for a number without items.

        `decoded` comes from a codec with this prior. The probabilities add up to 1 less that of "none of these".
        """
        assert decoded.log_posterior is not None
        ratio = np.exp(decoded.log_posterior) / self._prior
        likelihood = (1 - _NONE) / len(self._codes) * (ratio @ self._given_label.T)
        none = _NONE * (ratio @ self._given_none)
        found = np.full((len(ratio), int(self._codes[-1]) + 1), -np.inf, np.float32)
        found[:, self._codes] = np.log(likelihood / (likelihood.sum(axis=1) + none)[:, None])
        return found

    def log_label_of(self, decoded: Decoded, labels: Ints) -> LogProbabilities:
        """Log-probability of the label of each candidate: labels [B, n] to [B, n], float32.

        Minus infinity for a label that has no items here: the knowledge base may have got it since.
        """
        log_labels = self.log_labels(decoded)
        last = log_labels.shape[1] - 1
        found = np.take_along_axis(log_labels, np.minimum(labels, last), axis=1)
        return np.where(labels <= last, found, np.float32(-np.inf))

    def scores(self, products: Embeddings, log_label: LogProbabilities) -> Floats:
        """Scores of candidates of each burst: [B, n].

        products: [B, n], inner products of e_hat and each candidate, of unit length. log_label: [B, n], see
        `log_label_of`.
        """
        # |e_i| = 1, so the rest of the squared distance is the same for all
        scores: Floats = products / np.float32(self._variance)
        return scores if self.trust == 0 else scores + self.trust * log_label  # 0 times minus infinity is no number

    def _best_trust(self, log_categories: LogProbabilities) -> float:
        """The trust that names the labels of some items best, each found among the others from its own embedding."""
        places = np.searchsorted(self._codes, self._labels)
        counts = np.bincount(places)
        if len(counts) == 1 or counts.max() == 1:  # nothing to tell apart, or nothing to leave out one of
            return 1.0 if len(counts) == 1 else 0.0
        chosen = np.random.default_rng(0).permutation(len(self._labels))[:_JUDGES]
        products = self._embeddings[chosen] @ self._embeddings.T / np.float32(self._variance)
        products[np.arange(len(chosen)), chosen] = -np.inf
        own = (np.arange(len(chosen)), places[chosen])
        categories = np.exp(log_categories[chosen])
        likelihood = categories / self._prior @ self._given_label.T
        likelihood[own] = self._without(categories, places[chosen], counts[places[chosen], None])
        log_labels = np.log(likelihood)[:, places]
        right = [
            self._labels[(products + trust * log_labels).argmax(axis=1)] == self._labels[chosen] for trust in TRUSTS
        ]
        return next((t for t, one in zip(TRUSTS, right, strict=True) if not _worse(one, right)), TRUSTS[-1])

    def rank(self, decoded: Decoded, count: int) -> tuple[Ints, Floats]:
        """The `count` best items of each burst, best first, or all: positions [B, count] and scores [B, count]."""
        products = decoded.embeddings @ self._embeddings.T
        scores = self.scores(products, self.log_label_of(decoded, np.broadcast_to(self._labels, products.shape)))
        last = min(count, scores.shape[1]) - 1
        best = np.sort(np.argpartition(-scores, last, axis=1)[:, : last + 1], axis=1)
        order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1, kind="stable")
        best = np.take_along_axis(best, order, axis=1)
        return best, np.take_along_axis(scores, best, axis=1)

    def _without(self, categories: Floats, places: Ints, counts: Ints) -> Floats:
        """Likelihood of the label of items [B] of `categories`, [B, C], that are not counted among their label's."""
        sums = self._given_label[places] * (1 + _LEAST * self._given_label.shape[1]) * counts - categories
        others = np.maximum(sums / np.maximum(counts - 1, 1), 0) + _LEAST
        given = others / others.sum(axis=1, keepdims=True)
        likelihood: Floats = (categories / self._prior * given).sum(axis=1)
        return likelihood


def _worse(right: Bools, others: Sequence[Bools]) -> bool:
    """Whether another row of answers, [B] each, is right more often by more than two standard errors."""
    differences = [one.astype(np.int64) - right for one in others]
    return any(each.sum() > 2 * np.sqrt(np.abs(each).sum()) for each in differences)


def _means_of_groups(values: Floats, groups: Ints) -> Floats:
    """Mean of the rows of each group, 0 to G - 1, none empty: [N, X] to [G, X]."""
    counts = np.bincount(groups)
    sums = np.add.reduceat(values[np.argsort(groups, kind="stable")], np.cumsum(counts) - counts, axis=0)
    means: Floats = (sums / counts[:, None]).astype(np.float32)
    return means
