"""What a codec is.

    e [B, 512] --encode--> x [B, k/2] --channel, equalizer--> x_hat [B, k/2] --decode--> e_hat [B, 512]

A codec is one file with both halves side by side, and one row in `registry`. CONTRIBUTING.md shows how to add one.
Codecs of pixels instead of embeddings are in `shared.codecs.base.picture`, codecs that choose a modulation and code
rate in `shared.codecs.base.mode_selector`.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Generic, Literal, Self, TypeVar

import numpy as np

from shared.codecs.base.design_snr import ADAPTIVE_DESIGN_SNR_DB
from shared.errors import InvalidInput
from shared.phy.receive.equalizer import EqualizerName
from shared.types import Complex, Embeddings, Floats

DesignSnr = Floats
"""SNR that the sender designs each burst for: [B], float32, dB; NaN takes the codec's default."""
DesignFading = Literal["none", "rayleigh"]
"""Fading that the sender designs for: a constant gain, or one that fades from burst to burst."""
LogProbabilities = Floats

Source = TypeVar("Source")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Decoded:
    """Result of decoding a batch of bursts.

    embeddings: [B, 512], float32, not necessarily of unit length.
    log_posterior: [B, C], float32, log p(c | y) of the codec's own categories or clusters; None if it has none.
    """

    embeddings: Embeddings
    log_posterior: LogProbabilities | None = None


class BaseCodec(ABC, Generic[Source, Result]):
    """Source values to symbols of unit power per burst, and back.

    name: as in the registry. k: real dimensions, so k/2 complex symbols. fingerprint: 16 hexadecimal digits of the
    parameters; the two ends must hold the same. clip_fingerprint: of the CLIP model whose embeddings the codec was
    trained on; None when it fits any. equalizer: the one that the decoder is made for; None takes the receiver's.
    default_design_snr_db: design SNR if none is given, dB. quick: whether its first burst is as fast as the others;
    services run the first burst of a slow one, which imports or builds a lot, in the background.
    prefixes: whether each shorter code is the beginning of the longer ones, with unit power in every segment between
    two lengths, so that a picture can be sent in HARQ rounds.
    """

    name: ClassVar[str]
    lengths: ClassVar[tuple[int, ...]]
    default_k: ClassVar[int]
    k: int
    fingerprint: str
    clip_fingerprint: str | None = None
    equalizer: ClassVar[EqualizerName | None] = None
    default_design_snr_db: ClassVar[float] = ADAPTIVE_DESIGN_SNR_DB
    quick: ClassVar[bool] = True
    prefixes: ClassVar[bool] = False

    @classmethod
    @abstractmethod
    def load(cls, k: int, device: str) -> Self:
        """The codec of length k, one of `lengths`, with its shipped parameters.

        device: cpu or cuda. Raises NotFound when the parameters, or a library, are missing.
        """

    @abstractmethod
    def encode(self, source: Source, snr_db: DesignSnr | None = None) -> Complex:
        """Symbols [B, k/2], complex64, unit mean power per row.

        source: [B, 512], float32, embeddings of unit length, or [B, 32, 32, 3], uint8, RGB pictures. snr_db: [B],
        float32, dB, the design SNR; NaN or None for the codec's default. Many codecs ignore it.
        """

    @abstractmethod
    def decode(self, x_hat: Complex, n0_eff: Floats) -> Result:
        """Estimate the source from equalized symbols.

        x_hat: [B, k/2], complex64. n0_eff: [B, k/2], float32, noise power of each symbol after the equalizer; NaN
        where the receiver does not know it.
        """

    def mode(self, snr_db: float) -> int:  # noqa: ARG002 - for codecs that adapt
        """Number of the mode (modulation and code rate) of a burst designed for this SNR, dB; NaN for the default.

        It is sent in the burst's header, which has 6 bits for it; 0 for a codec that has only one.
        """
        return 0

    def with_mode(self, mode: int) -> Self:
        """The same codec for a receiver that read this mode in the header. Raises InvalidInput for an unknown one."""
        if mode:
            raise InvalidInput(f"codec {self.name} k = {self.k} has no mode {mode}: it has only mode 0")
        return self

    def for_fading(self, fading: DesignFading) -> Self:  # noqa: ARG002 - for codecs that adapt
        """The same codec for a sender that designs for this fading."""
        return self

    @property
    def symbols(self) -> int:
        """Complex channel uses of one burst's payload."""
        return self.k // 2

    def design_snr_db(self, snr_db: DesignSnr | None, count: int) -> DesignSnr:
        """Design SNR of each of `count` bursts: [count], dB, the codec's default where none is given."""
        given = np.full(count, np.nan, np.float32) if snr_db is None else snr_db
        return np.where(np.isnan(given), np.float32(self.default_design_snr_db), given)


class Codec(BaseCodec[Embeddings, Decoded]):
    """A codec of embeddings."""

    def categories(self, embeddings: Embeddings) -> LogProbabilities | None:  # noqa: ARG002 - for codecs that have some
        """Log-probabilities [N, C] of the codec's own categories for embeddings [N, 512].

        None for a codec without categories; C is that of `Decoded.log_posterior`.
        """
        return None

    def with_prior(self, log_prior: LogProbabilities) -> Self:  # noqa: ARG002
        """The same codec for a receiver that knows how often each category occurs in its knowledge base: [C]."""
        return self


def fingerprint_of(parts: Iterable[bytes]) -> str:
    """16 hexadecimal digits of the SHA-256 of `parts`, each preceded by its length."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()[:16]


def to_symbols(latent: Floats) -> Complex:
    """Pair real dimensions: [B, k] float32 to [B, k/2] complex64, x_i = z_2i + j z_2i+1."""
    return np.ascontiguousarray(latent, dtype=np.float32).view(np.complex64)


def to_latent(symbols: Complex) -> Floats:
    """The reverse of `to_symbols`: [B, k/2] complex64 to [B, k] float32."""
    return np.ascontiguousarray(symbols, dtype=np.complex64).view(np.float32)
