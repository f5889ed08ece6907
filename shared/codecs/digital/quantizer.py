"""A residual vector quantizer: an embedding to bits and back, any number of whole stages.

    e [512] --centre, project--> z [dim] --stage 1: nearest word--> 8 bits, what is left --stage 2--> 4 bits, ...

The search keeps the best few paths (beam search). It is FAISS's: Babenko, Lempitsky, "Additive quantization for extreme
vector compression", CVPR 2014; Liu, Lu, Wang, "Generalized residual vector quantization", 2016.
"""

from itertools import accumulate
from typing import Any, Final, NamedTuple, Self

import faiss
import numpy as np

from shared.codecs.digital.modem import Bits
from shared.errors import InvalidInput
from shared.types import Embeddings, Floats

STAGES: Final = (8, 4, 4, *(8,) * 14)
"""Bits of each stage. 12, 16 and every 8 more up to 128 are whole numbers of stages."""
BUDGETS: Final = tuple(accumulate(STAGES))
BOOKS: Final = tuple(accumulate(2**bits for bits in STAGES))
"""Codebooks of the first stages together."""
_BEAM: Final = 8


class Codebooks(NamedTuple):
    """What a quantizer learned. mean: [512]. axes: [dim, 512], orthonormal. books: [sum of 2^bits, dim], all stages."""

    mean: Floats
    axes: Floats
    books: Floats


class ResidualQuantizer:
    """Quantizes embeddings to the bits of the first stages."""

    def __init__(self, codebooks: Codebooks) -> None:
        self.codebooks = codebooks
        self._engines: dict[int, Any] = {}

    @classmethod
    def train(cls, embeddings: Embeddings, dim: int = 128, stages: int = len(STAGES)) -> Self:
        """Learn from embeddings [N, 512]: `dim` principal axes, then one stage after the other.

        Raises InvalidInput for fewer embeddings than the words of a stage.
        """
        if len(embeddings) < (words := 1 << max(STAGES)):
            raise InvalidInput(f"{len(embeddings)} embeddings to learn from: a stage has {words} words, give more")
        mean = embeddings.mean(axis=0)
        values, vectors = np.linalg.eigh(np.cov(embeddings.T))
        axes = np.ascontiguousarray(vectors[:, np.argsort(values)[::-1][:dim]].T, np.float32)
        engine = faiss.ResidualQuantizer(dim, _sizes(stages))
        engine.max_beam_size = _BEAM
        engine.cp.min_points_per_centroid = 1  # FAISS would warn of a small set twice for each stage
        engine.train(_projected(embeddings, mean, axes))
        books = faiss.vector_to_array(engine.codebooks).reshape(-1, dim)
        return cls(Codebooks(mean, axes, books))

    def quantize(self, embeddings: Embeddings, bits: int) -> Bits:
        """Bits [B, bits], 0 or 1, of embeddings [B, 512]; bits is one of `BUDGETS`."""
        codes = self._engine(bits).compute_codes(_projected(embeddings, self.codebooks.mean, self.codebooks.axes))
        return np.unpackbits(codes, axis=1, count=bits, bitorder="little")

    def dequantize(self, bits: Bits) -> Embeddings:
        """Embeddings [B, 512] of bits [B, n]."""
        codes = np.packbits(bits, axis=1, bitorder="little")
        decoded: Floats = self._engine(bits.shape[1]).decode(codes)
        return decoded @ self.codebooks.axes + self.codebooks.mean

    def _engine(self, bits: int) -> Any:
        """FAISS's quantizer of so many bits, made when it is asked for."""
        if bits not in self._engines:
            self._engines[bits] = _engine(self.codebooks, BUDGETS.index(bits) + 1)
        return self._engines[bits]


def _projected(embeddings: Embeddings, mean: Floats, axes: Floats) -> Floats:
    return np.ascontiguousarray((embeddings - mean) @ axes.T, np.float32)


def _sizes(stages: int) -> Any:
    sizes = faiss.UInt64Vector()
    for bits in STAGES[:stages]:
        sizes.push_back(bits)
    return sizes


def _engine(codebooks: Codebooks, stages: int) -> Any:
    """FAISS's quantizer of the first stages, with words that were learned before."""
    engine = faiss.ResidualQuantizer(codebooks.axes.shape[0], _sizes(stages))
    engine.max_beam_size = _BEAM
    faiss.copy_array_to_vector(np.ascontiguousarray(codebooks.books[: BOOKS[stages - 1]]).ravel(), engine.codebooks)
    engine.is_trained = True
    return engine
