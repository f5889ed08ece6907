"""`nested`: the category as a codeword of a spherical code, the position within it as an analogue refinement,
superposed.

    e --classifier--> c --codeword---.
    '--its axes-----> z ----gains---+--> 256 real dimensions; the first k of them are sent
                                            |
    e_hat, log p(c | y)  <--exact posterior of the mixture--'

One file of weights serves every k: the first k dimensions of the long code are the short code. The model, with its
sources, is in `nested_model`.

Weights that were learned without labels may hold a second mode, see `analogue`: from a design SNR on, which validation
found for each length, the embedding is sent without any category. The burst's header names the mode. HARQ rounds always
use the first mode, whose shorter codes are prefixes.
"""

import math
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from shared.codecs.base.contract import (
    DEFAULT_DESIGN_SNR_DB,
    Codec,
    Decoded,
    DesignSnr,
    LogProbabilities,
    to_latent,
    to_symbols,
)
from shared.codecs.base.weight_files import fingerprint_of_weights, holding_weights, read_arrays, weights_path
from shared.codecs.embedding.nested_arrays import NestedArrays
from shared.codecs.embedding.nested_noises import decode_any_noise
from shared.codecs.embedding.nested_shape import LENGTHS, latent_noise
from shared.device import NO_TORCH, has_torch
from shared.errors import NotFound
from shared.phy.receive.equalizer import EqualizerName
from shared.types import Complex, Embeddings, Floats

if TYPE_CHECKING:
    from shared.codecs.embedding.analogue import Analogue
    from shared.codecs.embedding.nested_model import NestedModel
    from shared.codecs.embedding.nested_torch import NestedInTorch

_ROOT_HALF = np.float32(np.sqrt(0.5))
_MODEL = ("weight", "bias", "prototypes", "basis", "axes", "points_db", "words", "gains")
_ANALOGUE = ("mean", "main_axes", "main_spread", "from_db")


class Nested(Codec):
    """One length of the nested code; on a processor it needs no torch."""

    name: ClassVar[str] = "nested"
    lengths: ClassVar[tuple[int, ...]] = LENGTHS
    default_k: ClassVar[int] = 64
    equalizer: ClassVar[EqualizerName | None] = "zf"
    default_design_snr_db: ClassVar[float] = DEFAULT_DESIGN_SNR_DB
    prefixes: ClassVar[bool] = True
    command: ClassVar[str] = "semlink train nested"

    _mode = 0
    _rounds = False

    def __init__(
        self,
        weights: Mapping[str, Floats],
        k: int,
        clip_fingerprint: str | None,
        device: str,
        in_torch: "Callable[[], NestedInTorch]",
    ) -> None:
        """weights: arrays of `NestedModel`, and of `Analogue` if there is one. in_torch: the same in torch."""
        self.k = k
        self.clip_fingerprint = clip_fingerprint
        self.device = device
        given = {name: weights[name] for name in (*_MODEL, *_ANALOGUE) if name in weights}
        self.fingerprint = fingerprint_of_weights(given, str(k))
        self._from_db = given.get("from_db")
        self._in_torch = in_torch
        self.params = sum(given[name].size for name in _MODEL)
        self._log_prior = np.zeros(len(given["bias"]), np.float32)
        self._points_db = given["points_db"]
        self._arrays: NestedArrays | None = NestedArrays(given, k)

    @classmethod
    def of_model(
        cls,
        model: "NestedModel",
        k: int,
        clip_fingerprint: str | None,
        device: str,
        analogue: "Analogue | None" = None,
    ) -> Self:
        """The codec of a model, and an analogue code, on `device`, which are not modified."""
        from shared.codecs.embedding.nested_torch import NestedInTorch  # noqa: PLC0415 - loads torch

        parts = {} if analogue is None else analogue._asdict()
        weights = {name: part.cpu().numpy() for name, part in (model.state_dict() | parts).items()}
        found = cls(weights, k, clip_fingerprint, device, partial(NestedInTorch, model, analogue, device))
        return found if device == "cpu" else found.in_torch()

    @classmethod
    def load(cls, k: int, device: str) -> Self:
        """The model that `semlink train nested` left."""
        return cls.from_file(weights_path(cls.name, "model.safetensors", cls.command), k, device)

    @classmethod
    def from_file(cls, path: Path, k: int, device: str) -> Self:
        """A model from a safetensors file whose metadata holds `clip_fingerprint`; all lengths share it."""
        weights, metadata = read_arrays(path, cls.name)
        with holding_weights(path, cls.name):
            found = cls(weights, k, metadata["clip_fingerprint"], device, partial(_read_in_torch, path, device))
        return found if device == "cpu" else found.in_torch()

    @property
    def model(self) -> "NestedModel":
        """Its parameters, in torch."""
        return self._in_torch().model

    def encode(self, embeddings: Embeddings, snr_db: DesignSnr | None = None) -> Complex:
        """Symbols [B, k/2] of unit-length `embeddings`: [B, D]. snr_db: [B], dB, NaN for the default."""
        design = self.design_snr_db(snr_db, len(embeddings))
        points = np.abs(design[:, None] - self._points_db).argmin(axis=1)
        if self._arrays is None:
            latent = self._in_torch().encode(embeddings, points, self.k)
        else:
            latent = self._arrays.encode(np.asarray(embeddings, np.float32), points)
        plain = np.array([self.mode(point) == 1 for point in design.tolist()])
        if plain.any():
            latent = np.where(plain[:, None], self._in_torch().encode_analogue(embeddings, self.k), latent)
        return to_symbols(latent * _ROOT_HALF)

    def mode(self, snr_db: float) -> int:
        """See `BaseCodec.mode`: 1 without a category, at a design SNR where validation found that better."""
        if self._from_db is None or self._rounds:
            return 0
        design = self.default_design_snr_db if math.isnan(snr_db) else snr_db
        return int(design >= float(self._from_db[self.lengths.index(self.k)]))

    def with_mode(self, mode: int) -> Self:
        """See `BaseCodec.with_mode`."""
        return self._with(_mode=1) if mode == 1 and self._from_db is not None else super().with_mode(mode)

    def in_torch(self) -> Self:
        """See `BaseCodec.in_torch`; as on a GPU."""
        return self._with(_arrays=None)

    def in_rounds(self) -> Self:
        """See `BaseCodec.in_rounds`."""
        return self._with(_rounds=True)

    def decode(self, x_hat: Complex, n0_eff: Floats) -> Decoded:
        """Embeddings, and log-probabilities of the categories, by the codec's prior.

        Raises NotFound without torch for a burst that came without a category.
        """
        latent, powers = to_latent(x_hat) / _ROOT_HALF, latent_noise(n0_eff)
        if self._mode == 0 and self._arrays is not None and powers.shape[1] == 1 and not np.isnan(powers).any():
            return Decoded(*self._arrays.decode(latent, powers, self._log_prior))
        if self._mode == 1:
            return Decoded(self._in_torch().decode_analogue(latent, powers))
        if self._arrays is not None:
            return Decoded(*decode_any_noise(self._arrays, latent, powers, self._log_prior))
        return Decoded(*self._in_torch().decode(latent, powers, self._log_prior))

    def categories(self, embeddings: Embeddings) -> LogProbabilities | None:
        """See `Codec.categories`; None for a burst that came without a category."""
        if self._mode == 1:
            return None
        if self._arrays is None:
            return self._in_torch().log_categories(embeddings)
        return self._arrays.log_categories(np.asarray(embeddings, np.float32))

    def with_prior(self, log_prior: LogProbabilities) -> Self:
        """See `Codec.with_prior`."""
        return self._with(_log_prior=np.asarray(log_prior, np.float32))


class NestedUnlabelled(Nested):
    """The same code, trained without labels: its categories are clusters of embeddings."""

    name: ClassVar[str] = "nested-unlabelled"
    command: ClassVar[str] = "semlink train nested --unlabelled"


def _read_in_torch(path: Path, device: str) -> "NestedInTorch":
    if not has_torch():
        raise NotFound(f"codec nested needs torch on a GPU, and to send without a category, and {NO_TORCH}")
    from shared.codecs.embedding.nested_torch import read_in_torch  # noqa: PLC0415 - loads torch

    return read_in_torch(path, path.stat().st_mtime_ns, device)
