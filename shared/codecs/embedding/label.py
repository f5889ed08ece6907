"""`label`: the number of the category as a codeword of a spherical code, nothing else; a digital baseline.

e --classifier--> c --codeword--> x [k/2]
x_hat --likelihood of each codeword--> log p(c | y) --> e_hat = prototype of the likeliest category
"""

from pathlib import Path
from typing import ClassVar, NamedTuple, Self

import numpy as np

from shared.codecs.base.contract import (
    Codec,
    Decoded,
    DesignSnr,
    LogProbabilities,
    known_noise,
    log_softmax,
    to_latent,
    to_symbols,
)
from shared.codecs.base.weight_files import fingerprint_of_weights, holding_weights, read_arrays, weights_path
from shared.codecs.embedding.nested_shape import LEAST_NOISE, latent_noise
from shared.phy.power import normalize_power
from shared.phy.receive.equalizer import EqualizerName
from shared.types import Complex, Embeddings, Floats


class LabelTables(NamedTuple):
    """weight: [C, D], bias: [C], logits of an embedding's category. prototypes: [C, D]. words: [C, k], codewords."""

    weight: Floats
    bias: Floats
    prototypes: Floats
    words: Floats


class Label(Codec):
    """One length, with codewords trained for this length."""

    name: ClassVar[str] = "label"
    lengths: ClassVar[tuple[int, ...]] = (8, 16, 32, 64, 128, 256)
    default_k: ClassVar[int] = 64
    equalizer: ClassVar[EqualizerName | None] = "zf"

    def __init__(self, tables: LabelTables, clip_fingerprint: str | None) -> None:
        self.k = tables.words.shape[1]
        self.clip_fingerprint = clip_fingerprint
        self.fingerprint = fingerprint_of_weights(tables._asdict())
        self.tables = tables
        self.params = sum(part.size for part in tables)
        self._symbols = normalize_power(to_symbols(tables.words))
        self._log_prior = np.zeros(len(tables.bias), np.float32)

    @classmethod
    def load(cls, k: int, device: str) -> Self:  # noqa: ARG003 - table look-ups, on the processor
        """The tables that `semlink train label` left."""
        return cls.from_file(weights_path(cls.name, "tables.safetensors"), k)

    @classmethod
    def from_file(cls, path: Path, k: int) -> Self:
        """The tables of one length from a safetensors file whose metadata holds `clip_fingerprint`."""
        arrays, metadata = read_arrays(path, cls.name)
        with holding_weights(path, cls.name):
            tables = LabelTables._make(arrays[name] for name in ("weight", "bias", "prototypes", f"words_{k}"))
            return cls(tables, metadata["clip_fingerprint"])

    def encode(self, embeddings: Embeddings, snr_db: DesignSnr | None = None) -> Complex:  # noqa: ARG002
        """Symbols [B, k/2] of the categories of `embeddings`: [B, D]."""
        codewords: Complex = self._symbols[self.categories(embeddings).argmax(axis=1)]
        return codewords

    def decode(self, x_hat: Complex, n0_eff: Floats) -> Decoded:
        """The prototype of the likeliest category, and the log-probabilities of all."""
        y, codewords = to_latent(x_hat), to_latent(self._symbols)
        precision = 2 / np.maximum(latent_noise(known_noise(x_hat, n0_eff)), LEAST_NOISE)  # N0/2 in each real dimension
        energy = np.broadcast_to(precision, y.shape) @ (codewords * codewords).T
        log_likelihood = (precision * y) @ codewords.T - 0.5 * energy
        log_posterior = log_softmax(log_likelihood + self._log_prior)
        return Decoded(self.tables.prototypes[log_posterior.argmax(axis=1)], log_posterior)

    def categories(self, embeddings: Embeddings) -> LogProbabilities:
        """See `Codec.categories`."""
        logits = embeddings @ self.tables.weight.T + self.tables.bias
        return log_softmax(logits)

    def with_prior(self, log_prior: LogProbabilities) -> Self:
        """See `Codec.with_prior`."""
        return self._with(_log_prior=log_prior)
