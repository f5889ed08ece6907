"""A residual vector quantizer: embeddings to bits and back, with any number of whole stages.

    e [512] --centre, project--> z [dim] --stage 1: nearest codeword--> 8 bits, residual --stage 2--> 4 bits, ...

The search is FAISS's beam search: Babenko, Lempitsky, "Additive quantization for extreme
vector compression", CVPR 2014; Liu, Lu, Wang, "Generalized residual vector quantization", 2016.
"""

from itertools import accumulate
from typing import Any, Final, NamedTuple, Self

import faiss
import numpy as np

from shared.errors import InvalidInput
from shared.types import Bits, Embeddings, Floats

STAGES: Final = (8, 4, 4, *(8,) * 14)
"""Bits of each stage. Whole stages give 8, 12, 16 and then multiples of 8 bits up to 128."""
BUDGETS: Final = tuple(accumulate(STAGES))
BOOKS: Final = tuple(accumulate(2**bits for bits in STAGES))
"""Total number of codewords of the first stages."""
_BEAM: Final = 8


class Codebooks(NamedTuple):
    """Parameters of a quantizer. mean: [512]. axes: [dim, 512], orthonormal. books: [sum of 2^bits, dim]."""

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
        """Train on embeddings [N, D]: first `dim` principal axes, or all where D is less, then the stages.

        Raises InvalidInput for fewer embeddings than a stage has codewords.
        """
        if len(embeddings) < (words := 1 << max(STAGES)):
            raise InvalidInput(f"{len(embeddings)} embeddings to learn from: a stage has {words} words, give more")
        dim = min(dim, embeddings.shape[1])
        mean = embeddings.mean(axis=0)
        values, vectors = np.linalg.eigh(np.atleast_2d(np.cov(embeddings.T)))
        axes = np.ascontiguousarray(vectors[:, np.argsort(values)[::-1][:dim]].T, np.float32)
        engine = _engine(dim, stages)
        engine.cp.min_points_per_centroid = 1  # silences two warnings per stage for a small set
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
        """FAISS's quantizer of so many bits with the trained codewords; built at the first call."""
        if bits not in self._engines:
            axes, books, stages = self.codebooks.axes, self.codebooks.books, BUDGETS.index(bits) + 1
            engine = self._engines[bits] = _engine(len(axes), stages)
            faiss.copy_array_to_vector(np.ascontiguousarray(books[: BOOKS[stages - 1]]).ravel(), engine.codebooks)
            engine.is_trained = True
        return self._engines[bits]


def _projected(embeddings: Embeddings, mean: Floats, axes: Floats) -> Floats:
    return np.ascontiguousarray((embeddings - mean) @ axes.T, np.float32)


def _engine(dim: int, stages: int) -> Any:
    """FAISS's quantizer of the first stages, without codewords."""
    sizes: Any = faiss.UInt64Vector()
    for bits in STAGES[:stages]:
        sizes.push_back(bits)
    engine = faiss.ResidualQuantizer(dim, sizes)
    engine.max_beam_size = _BEAM
    return engine
