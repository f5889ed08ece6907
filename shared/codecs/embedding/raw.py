"""`raw`: the 512-d embedding itself as 256 complex symbols, no learning."""

from typing import ClassVar, Self

import numpy as np

from shared.codecs.base.contract import Codec, Decoded, DesignSnr, fingerprint_of, to_latent, to_symbols
from shared.phy.power import normalize_power
from shared.types import Complex, Embeddings, Floats

DIM = 512


class Raw(Codec):
    """Analogue transmission of the embedding: x = e scaled to unit power, e_hat = x_hat scaled back."""

    name: ClassVar[str] = "raw"
    lengths: ClassVar[tuple[int, ...]] = (DIM,)
    default_k: ClassVar[int] = DIM
    k = DIM
    fingerprint = fingerprint_of([b"raw", str(DIM).encode()])

    @classmethod
    def load(cls, k: int, device: str) -> Self:  # noqa: ARG003 - one length, nothing to put on a device
        """There is nothing to load."""
        return cls()

    def encode(self, embeddings: Embeddings, snr_db: DesignSnr | None = None) -> Complex:  # noqa: ARG002
        """Symbols [B, 256] of unit-length `embeddings`: [B, 512]."""
        return normalize_power(to_symbols(embeddings))

    def decode(self, x_hat: Complex, n0_eff: Floats) -> Decoded:  # noqa: ARG002 - noise-blind
        """Unit power over 256 symbols is a length of 16, so e_hat = x_hat / 16."""
        return Decoded(to_latent(x_hat) / np.float32(np.sqrt(DIM // 2)))
