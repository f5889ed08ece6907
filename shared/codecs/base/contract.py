"""What a codec is.

    e [B, 512] --encode--> x [B, k/2] --channel, equalizer--> x_hat [B, k/2] --decode--> e_hat [B, 512]

A codec is one file with both halves side by side, and one row in `registry`. CONTRIBUTING.md shows how to add one.
Codecs of pixels instead of embeddings are in `shared.codecs.base.picture`.
"""

import copy
import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Generic, Literal, Self, TypeVar

import numpy as np

from shared.errors import InvalidInput
from shared.phy.conditions.settings import FadingName
from shared.phy.power import normalize_power
from shared.phy.receive.equalizer import EqualizerName
from shared.types import Bools, Complex, Doubles, Embeddings, Floats

DesignSnr = Floats
"""SNR that the sender designs each burst for: [B], float32, dB; NaN takes the codec's default."""
DesignFading = Literal["none", "rayleigh"]
"""Fading that the sender designs for: a constant gain, or one that fades from burst to burst."""
LogProbabilities = Floats

OUTAGE: Final = 0.1

DEFAULT_DESIGN_SNR_DB: Final = 0.0
"""Design SNR of the transmitter and of `nested` if none is given, dB.

Measured with `nested`, k = 64, 8 pilots, AWGN: at -7 dB it costs 0.08 of accuracy against a code made for -8 dB, at
10 dB 0.03 of cosine against one made for 12 dB. Of the points in between it loses the least.
"""

ADAPTIVE_DESIGN_SNR_DB: Final = 5.0
"""Design SNR of the other codecs that adapt if none is given, dB. The transmitter always gives one."""

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
    two lengths, so that a picture can be sent in HARQ rounds. plans_fading: whether it takes the average SNR and allows
    for fading itself, by `for_fading`; the others are given the SNR that 90 % of the bursts exceed.
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
    plans_fading: ClassVar[bool] = False

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

    def in_rounds(self) -> Self:
        """The same codec for a sender of HARQ rounds, in the mode whose shorter codes are prefixes."""
        return self

    def in_torch(self) -> Self:
        """The same codec computed by torch alone, whose operations can be counted."""
        return self

    @property
    def symbols(self) -> int:
        """Complex channel uses of one burst's payload."""
        return self.k // 2

    def design_snr_db(self, snr_db: DesignSnr | None, count: int) -> DesignSnr:
        """Design SNR of each of `count` bursts: [count], dB, the codec's default where none is given."""
        given = np.full(count, np.nan, np.float32) if snr_db is None else snr_db
        return np.where(np.isnan(given), np.float32(self.default_design_snr_db), given)

    def _with(self, **attributes: object) -> Self:
        """A copy that shares all attributes but these."""
        other = copy.copy(self)
        vars(other).update(attributes)
        return other


class ModeSelector(BaseCodec[Source, Result]):
    """A codec that chooses a mode (modulation and code rate) for each burst; a number names it.

    design SNR, design fading --choose--> mode --header, 6 bits--> receiver
    """

    plans_fading: ClassVar[bool] = True
    _fading: DesignFading = "none"
    _mode: int | None = None  # that the header named

    @abstractmethod
    def choose(self, snr_db: float, fading: DesignFading) -> int:
        """Number of the best mode at this design SNR, dB, and design fading."""

    @property
    @abstractmethod
    def mode_numbers(self) -> Sequence[int]:
        """All modes that a burst of this length may have."""

    def mode(self, snr_db: float) -> int:
        """See `BaseCodec.mode`."""
        return self.choose(self.default_design_snr_db if math.isnan(snr_db) else snr_db, self._fading)

    def with_mode(self, mode: int) -> Self:
        """See `BaseCodec.with_mode`."""
        if mode not in self.mode_numbers:
            numbers = f"{self.mode_numbers[0]} to {self.mode_numbers[-1]}"
            raise InvalidInput(f"codec {self.name} k = {self.k} has no mode {mode}: it has {numbers}")
        return self._with(_mode=mode)

    def for_fading(self, fading: DesignFading) -> Self:
        """See `BaseCodec.for_fading`."""
        return self._with(_fading=fading)

    @property
    def received_mode(self) -> int:
        """The mode that the header named; without a header, that of the default design SNR."""
        return self.mode(math.nan) if self._mode is None else self._mode

    def send(self, snr_db: DesignSnr | None, count: int, modulate: Callable[[Bools, int], Complex]) -> Complex:
        """Symbols [count, k/2], complex64, unit power: `modulate(rows, mode)` makes those of all rows of one mode."""
        numbers = np.array([self.mode(float(point)) for point in self.design_snr_db(snr_db, count)])
        x = np.empty((count, self.symbols), np.complex64)
        for number in np.unique(numbers).tolist():
            x[numbers == number] = normalize_power(modulate(numbers == number, number))
        return x


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


def outage_snr_db(snr_db: float, fading: FadingName) -> float:
    """The SNR that 90 % of the bursts exceed. snr_db: average Es/N0, dB.

    Without fading that is the average. Otherwise it is taken as for Rayleigh fading, where P(|h|^2 < x) = 1 - exp(-x):
    10 log10(-ln 0.9) = -9.8 dB from the average.
    """
    return snr_db if fading == "none" else snr_db + 10 * math.log10(-math.log(1 - OUTAGE))


def fingerprint_of(parts: Iterable[bytes]) -> str:
    """16 hexadecimal digits of the SHA-256 of `parts`, each preceded by its length."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()[:16]


def known_noise(x_hat: Complex, n0_eff: Floats) -> Floats:
    """Noise power of each symbol after zero forcing: [B, n]; where `n0_eff` is NaN, E|x_hat|^2 - 1 of the burst."""
    measured = np.maximum(np.mean(np.abs(x_hat) ** 2, axis=1, keepdims=True) - 1, 0)
    return np.where(np.isnan(n0_eff), measured, n0_eff)


def log_softmax(logits: Floats | Doubles) -> LogProbabilities:
    """Log-probabilities of logits, over each row: [B, C], float32."""
    less = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(less - np.log(np.exp(less).sum(axis=1, keepdims=True)), np.float32)


def to_symbols(latent: Floats) -> Complex:
    """Pair real dimensions: [B, k] float32 to [B, k/2] complex64, x_i = z_2i + j z_2i+1."""
    return np.ascontiguousarray(latent, dtype=np.float32).view(np.complex64)


def to_latent(symbols: Complex) -> Floats:
    """The reverse of `to_symbols`: [B, k/2] complex64 to [B, k] float32."""
    return np.ascontiguousarray(symbols, dtype=np.complex64).view(np.float32)
