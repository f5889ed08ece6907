"""Ranks items by label posterior and distance to the decoded embedding.

    items, labels --codec.categories--> p(c | label)         once for a knowledge base
    e_hat, log p(c | y) --> score(i) = log p(label_i | y) - |e_hat - e_i|^2 / (2 v)         for each burst

The codec's category probabilities, averaged over the items of a label, link its categories to the labels:

    p(label | y) ~ p(label) sum over c of p(c | y) / p(c) p(c | label)

One more label, "none of these", stands for pictures whose category is not in the knowledge base. Its prior is 0.1, and
its p(c | none) = max(0, 1/C - mean p(c | label)), normalized. It is never an answer, but reduces the probability of the
other labels. The decoder does not use it.

v is the mean squared distance of an item from the centre of its label. All labels have the same prior, however many
items they have. The score is computed for all items, N D operations a burst as in a flat index. With an approximate
index, searching the few labels with the largest p(label | y) and the nearest items overall would suffice.
"""

import numpy as np

from shared.codecs.base.contract import Codec, Decoded, LogProbabilities
from shared.types import Embeddings, Floats, Ints

_LEAST = 1e-4  # least probability of a category within a label: a few items do not rule one out
_LEAST_SPREAD = 1e-3
_NONE = 0.1  # prior of a picture that none of the labels fits


class LabelPosterior:
    """Posterior of a knowledge base's labels and items under one codec."""

    def __init__(self, codec: Codec, embeddings: Embeddings, labels: Ints) -> None:
        """Classify all items with the codec.

        codec: one with categories. embeddings: [N, D], float32, unit length, of all items or of some of each label.
        labels: [N], a number for each label, 0 or more; not all of them need have items.
        """
        log_categories = codec.categories(embeddings)
        assert log_categories is not None, f"codec {codec.name} has no categories: rank by distance alone"
        self._embeddings, self._labels = embeddings, labels
        self._codes, places = np.unique(labels, return_inverse=True)
        means = _means_of_groups(np.exp(log_categories), places) + _LEAST
        self._given_label = means / means.sum(axis=1, keepdims=True)
        self._prior = self._given_label.mean(axis=0)
        lacking = np.maximum(1 / len(self._prior) - self._prior, 0) + _LEAST / len(self._prior)
        self._given_none = lacking / lacking.sum()
        centres = _means_of_groups(embeddings, places)
        self._variance = max(float(np.mean(np.sum((embeddings - centres[places]) ** 2, axis=1))), _LEAST_SPREAD)

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

    def scores(self, decoded: Decoded, products: Embeddings, labels: Ints) -> Floats:
        """Scores of candidates of each burst: [B, n].

        products: [B, n], inner products of e_hat and each candidate, of unit length. labels: [B, n], of each.
        """
        log_labels = self.log_labels(decoded)
        rows = np.arange(len(log_labels))[:, None]
        # |e_i| = 1, so the rest of the squared distance is the same for all
        scores: Floats = products / np.float32(self._variance) + log_labels[rows, labels]
        return scores

    def rank(self, decoded: Decoded, count: int) -> tuple[Ints, Floats]:
        """The `count` best items of each burst, best first, or all: positions [B, count] and scores [B, count]."""
        products = decoded.embeddings @ self._embeddings.T
        scores = self.scores(decoded, products, np.broadcast_to(self._labels, products.shape))
        last = min(count, scores.shape[1]) - 1
        best = np.sort(np.argpartition(-scores, last, axis=1)[:, : last + 1], axis=1)
        order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1, kind="stable")
        best = np.take_along_axis(best, order, axis=1)
        return best, np.take_along_axis(scores, best, axis=1)


def _means_of_groups(values: Floats, groups: Ints) -> Floats:
    """Mean of the rows of each group, 0 to G - 1, none empty: [N, X] to [G, X]."""
    counts = np.bincount(groups)
    sums = np.add.reduceat(values[np.argsort(groups, kind="stable")], np.cumsum(counts) - counts, axis=0)
    means: Floats = (sums / counts[:, None]).astype(np.float32)
    return means
