"""What came of a batch: the items that a receiver chooses, against the labels that no scheme sees."""

from dataclasses import dataclass

import numpy as np

from lab.evaluate.data import TestSet
from lab.evaluate.scheme import NEIGHBOURS, Arrival
from receiver.knowledge_base.index.exact_search import exact_nearest
from shared.codecs.base.picture import fit_pictures
from shared.types import Bools, Doubles, Floats, Ints, Pixels

BLOCK = 1000
"""Queries sent together; a mosaic holds so many pictures."""


@dataclass(frozen=True)
class Score:
    """One value for each burst of a batch: [B]; psnr_db and lost may be missing."""

    right: Bools
    agrees: Bools
    cosine: Doubles
    overlap: Doubles
    lost: Bools | None
    psnr_db: Doubles | None


class Scorer:
    """Searches the knowledge base as the receiver does, and compares with the truth."""

    def __init__(self, test_set: TestSet) -> None:
        self.test_set = test_set
        self._clean = self._nearest(test_set.queries.embeddings)

    @property
    def nearest_accuracy(self) -> float:
        """Semantic accuracy of the clean embeddings."""
        found = self.test_set.item_labels[self._clean[:, 0]]
        return float(np.mean(found == self.test_set.query_labels))

    def blocks(self, queries: int) -> list[Ints]:
        """Positions of the queries, `queries` of them or all for 0, in one fixed random order, in blocks."""
        count = len(self.test_set.query_labels)
        order = np.random.default_rng(0).permutation(count)[: queries or count]
        return np.split(order, range(BLOCK, len(order), BLOCK))

    def score(self, members: Ints, arrival: Arrival) -> Score:
        """Score what arrived of the queries at `members`: [B]. A burst that decodes to no direction is wrong."""
        e, e_hat = self.test_set.queries.embeddings[members], arrival.decoded.embeddings
        found = self.found(arrival)
        usable = found[:, 0] >= 0
        lengths = np.linalg.norm(e_hat.astype(np.float64), axis=1)
        cosine = np.divide(np.einsum("bd,bd->b", e_hat, e), lengths, out=np.zeros(len(e)), where=usable)
        labels = np.where(usable, self.test_set.item_labels[found[:, 0]], -1)
        clean = self._clean[members]
        return Score(
            right=labels == self.test_set.query_labels[members],
            agrees=labels == self.test_set.item_labels[clean[:, 0]],
            cosine=cosine,
            overlap=(found[:, :, None] == clean[:, None, :]).any(axis=2).mean(axis=1),
            lost=arrival.lost,
            psnr_db=None if arrival.pixels is None else self._psnr_db(members, arrival.pixels),
        )

    def found(self, arrival: Arrival) -> Ints:
        """Positions of the ten items that the receiver chooses, best first: [B, 10]; -1 without a direction."""
        e_hat = arrival.decoded.embeddings
        usable = np.isfinite(e_hat).all(axis=1) & e_hat.any(axis=1)
        found = np.full((len(e_hat), NEIGHBOURS), -1)
        if arrival.found is not None:
            found[usable] = arrival.found[usable]
        elif usable.any():
            unit = e_hat[usable] / np.linalg.norm(e_hat[usable].astype(np.float64), axis=1, keepdims=True)
            found[usable] = self._nearest(unit.astype(np.float32))
        return found

    def _psnr_db(self, members: Ints, received: Pixels) -> Doubles:
        """Against what was sent: codecs of pictures send them as 32 x 32."""
        sent = self.test_set.pixels[members]
        return psnr_db(sent if sent.shape == received.shape else fit_pictures(sent), received)

    def _nearest(self, queries: Floats) -> Ints:
        found: Ints = exact_nearest(self.test_set.items.embeddings, np.ascontiguousarray(queries), NEIGHBOURS)[0]
        return found


def psnr_db(sent: Pixels, received: Pixels) -> Doubles:
    """Peak signal-to-noise ratio 10 log10(255^2 / MSE) of each picture: [B, H, W, 3], uint8, to [B], dB; at most 60."""
    error = np.mean((sent.astype(np.float64) - received) ** 2, axis=(1, 2, 3))
    ratio: Doubles = 255**2 / np.maximum(error, 255**2 / 1e6)
    return 10 * np.log10(ratio)
