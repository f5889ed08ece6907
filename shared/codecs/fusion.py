"""Ranks items by two kinds of evidence: where the codec puts the embedding, and which category it believes in.

    items, labels --codec.categories--> p(c | label)         once for a knowledge base
    e_hat, log p(c | y) --> score(i) = log p(label_i | y) - |e_hat - e_i|^2 / (2 v)         for each burst

Items know their labels, and what the codec says of all items of a label tells what its categories mean here:

    p(label | y) ~ sum over c of p(c | y) / p(c) p(c | label)

v is the mean squared distance of an item from the centre of its label. Labels weigh the same, however many items one
has. The score is computed for all items, N D operations a burst as in a flat index. On top of an approximate index one
would search inside the few labels with the largest p(label | y), plus the nearest items overall: no other item can win.
"""

import numpy as np
import numpy.typing as npt

from shared.codecs.base import Codec, Decoded, Embeddings, LogProbabilities

Ints = npt.NDArray[np.int64]

_LEAST = 1e-4  # probability of a category within a label: a handful of items does not rule one out
_LEAST_SPREAD = 1e-3


class Fusion:
    """A knowledge base as one codec sees it."""

    def __init__(self, codec: Codec, embeddings: Embeddings, labels: Ints) -> None:
        """Ask the codec about all items.

        codec: one with categories. embeddings: [N, D], float32, unit length. labels: [N], 0 to L - 1, each with items.
        """
        log_categories = codec.categories(embeddings)
        assert log_categories is not None, f"codec {codec.name} has no categories: rank by distance alone"
        self._embeddings, self._labels = embeddings, labels
        means = _means_of_labels(np.exp(log_categories), labels) + _LEAST
        self._given_label = means / means.sum(axis=1, keepdims=True)
        self._prior = self._given_label.mean(axis=0)
        centres = _means_of_labels(embeddings, labels)
        self._variance = max(float(np.mean(np.sum((embeddings - centres[labels]) ** 2, axis=1))), _LEAST_SPREAD)

    @property
    def log_prior(self) -> LogProbabilities:
        """How likely each category is before anything is received, for `Codec.with_prior`: [C]."""
        prior: LogProbabilities = np.log(self._prior).astype(np.float32)
        return prior

    def log_labels(self, decoded: Decoded) -> LogProbabilities:
        """Log-probability of each label: [B, L], float32. `decoded` comes from a codec with this prior."""
        assert decoded.evidence is not None
        ratio = np.exp(decoded.evidence) / self._prior
        likelihood = ratio @ self._given_label.T
        found: LogProbabilities = np.log(likelihood / likelihood.sum(axis=1, keepdims=True)).astype(np.float32)
        return found

    def rank(self, decoded: Decoded, count: int) -> tuple[Ints, npt.NDArray[np.float32]]:
        """The `count` best items of each burst, best first, or all: positions [B, count] and scores [B, count]."""
        near = decoded.embeddings @ self._embeddings.T / self._variance  # |e_i| = 1, so the rest is the same for all
        scores = near + self.log_labels(decoded)[:, self._labels]
        order = np.argsort(-scores, axis=1, kind="stable")[:, :count]
        return order, np.take_along_axis(scores, order, axis=1).astype(np.float32)


def _means_of_labels(values: npt.NDArray[np.float32], labels: Ints) -> npt.NDArray[np.float32]:
    """Mean of the rows of each label: [N, X] to [L, X]."""
    counts = np.bincount(labels)
    sums = np.add.reduceat(values[np.argsort(labels, kind="stable")], np.cumsum(counts) - counts, axis=0)
    means: npt.NDArray[np.float32] = (sums / counts[:, None]).astype(np.float32)
    return means
