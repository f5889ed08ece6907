"""Vectors like CLIP's, as many as wanted, made block by block and never all at once.

Of clip-tiny's embeddings of CIFAR-100, 70 % of the variance lies between classes, and the variance along the principal
axes falls so fast that 25 of 512 would hold as much if it were spread evenly. These are like them:

    v = unit(R (c_y + w)),  c ~ N(0, 0.7 S), w ~ N(0, 0.3 S),  S diagonal, S_i ~ 1 / (1 + i/16)^2,  R a rotation
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from shared.types import Floats, Labels

DIM = 512
BLOCK_ITEMS = 20_000

_BETWEEN_CLASSES = 0.7
_KNEE = 16


@dataclass(frozen=True)
class Collection:
    """`items` vectors of `classes` classes; a block depends on the seed and its number alone."""

    items: int
    classes: int = 1000
    seed: int = 0

    def blocks(self) -> Iterator[tuple[Floats, Labels]]:
        """All vectors [n, 512], float32, unit length, and their classes [n]; n <= 20,000."""
        for start in range(0, self.items, BLOCK_ITEMS):
            yield self.block(start // BLOCK_ITEMS, min(BLOCK_ITEMS, self.items - start))

    def block(self, number: int, count: int) -> tuple[Floats, Labels]:
        """One block; numbers beyond the last give further vectors of the same classes."""
        rng = np.random.default_rng([self.seed, 1 + number])
        labels = rng.integers(0, self.classes, count)
        within = rng.standard_normal((count, DIM), np.float32) * self._deviations * np.sqrt(1 - _BETWEEN_CLASSES)
        vectors = (self._centers[labels] + within.astype(np.float32)) @ self._rotation
        unit: Floats = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
        return unit, labels

    @cached_property
    def _deviations(self) -> Floats:
        deviations: Floats = (1 / (1 + np.arange(DIM) / _KNEE)).astype(np.float32)
        return deviations

    @cached_property
    def _centers(self) -> Floats:
        drawn = np.random.default_rng([self.seed, 0]).standard_normal((self.classes, DIM), np.float32)
        centers: Floats = (drawn * self._deviations * np.sqrt(_BETWEEN_CLASSES)).astype(np.float32)
        return centers

    @cached_property
    def _rotation(self) -> Floats:
        drawn = np.random.default_rng([self.seed, 0, 0]).standard_normal((DIM, DIM), np.float32)
        rotation: Floats = np.linalg.qr(drawn)[0].astype(np.float32)
        return rotation
