"""Ranks items by two kinds of evidence: where the codec puts the embedding, and which category it believes in.

    items, labels --codec.categories--> p(c | label)         once for a knowledge base
    e_hat, log p(c | y) --> score(i) = log p(label_i | y) - |e_hat - e_i|^2 / (2 v)         for each burst

Items know their labels, and what the codec says of all items of a label tells what its categories mean here:

    p(label | y) ~ p(label) sum over c of p(c | y) / p(c) p(c | label)

Beside the labels stands one more, "none of these": a picture whose category the knowledge base lacks. Its prior is a
tenth, and its p(c | none) what the labels leave uncovered, max(0, 1/C - mean p(c | label)), normalized. It is never an
answer, but takes probability from those that are. The decoder is not told of it.

v is the mean squared distance of an item from the centre of its label. Labels weigh the same, however many items one
has. The score is computed for all items, N D operations a burst as in a flat index. On top of an approximate index one
would search inside the few labels with the largest p(label | y), plus the nearest items overall: no other item can win.
"""

import numpy as np

from shared.codecs.base.contract import Codec, Decoded, LogProbabilities
from shared.types import Embeddings, Floats, Ints

_LEAST = 1e-4  # probability of a category within a label: a handful of items does not rule one out
_LEAST_SPREAD = 1e-3
_NONE = 0.1  # prior of a picture that none of the labels fits


class LabelPosterior:
    """A knowledge base as one codec sees it."""

    def __init__(self, codec: Codec, embeddings: Embeddings, labels: Ints) -> None:
        """Ask the codec about all items.

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
        """How likely each category is before anything is received, for `Codec.with_prior`: [C]."""
        prior: LogProbabilities = np.log(self._prior).astype(np.float32)
        return prior

    def log_labels(self, decoded: Decoded) -> LogProbabilities:
        """Log-probability of each label: [B, largest + 1], float32, minus infinity for a number without items.

        `decoded` comes from a codec with this prior. What the probabilities leave of 1 is that of none of the labels.
        """
        assert decoded.log_posterior is not None
        ratio = np.exp(decoded.log_posterior) / self._prior
        likelihood = (1 - _NONE) / len(self._codes) * (ratio @ self._given_label.T)
        none = _NONE * (ratio @ self._given_none)
        found = np.full((len(ratio), int(self._codes[-1]) + 1), -np.inf, np.float32)
        found[:, self._codes] = np.log(likelihood / (likelihood.sum(axis=1) + none)[:, None])
        return found

    def scores(self, decoded: Decoded, products: Embeddings, labels: Ints) -> Floats:
        """What candidates of each burst are worth: [B, n].

        products: [B, n], inner products of e_hat and each candidate, of unit length. labels: [B, n], of each.
        """
        log_labels = self.log_labels(decoded)
        rows = np.arange(len(log_labels))[:, None]
        # |e_i| = 1, so the rest of the squared distance is the same for all
        worth: Floats = products / np.float32(self._variance) + log_labels[rows, labels]
        return worth

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
