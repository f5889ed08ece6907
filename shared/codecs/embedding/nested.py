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
from functools import lru_cache
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from shared.codecs.base.contract import (
    DEFAULT_DESIGN_SNR_DB,
    Codec,
    Decoded,
    DesignSnr,
    LogProbabilities,
    to_latent,
    to_symbols,
)
from shared.codecs.base.weight_files import fingerprint_of_weights, holding_weights, read_weights, weights_path
from shared.codecs.embedding.analogue import Analogue
from shared.codecs.embedding.nested_arrays import NestedArrays
from shared.codecs.embedding.nested_model import LENGTHS, NestedModel
from shared.phy.receive.equalizer import EqualizerName
from shared.types import Complex, Embeddings, Floats

_ROOT_HALF = np.float32(np.sqrt(0.5))


class Nested(Codec):
    """One length of the nested code."""

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
        self, model: NestedModel, k: int, clip_fingerprint: str | None, device: str, analogue: Analogue | None = None
    ) -> None:
        """`model` and `analogue` are on `device` and are not modified."""
        self.k = k
        self.clip_fingerprint = clip_fingerprint
        self.device = device
        parts = {} if analogue is None else analogue._asdict()
        self.fingerprint = fingerprint_of_weights(model.state_dict() | parts, str(k))
        self.model, self.analogue = model, analogue
        self._log_prior = torch.zeros(len(model.bias), device=device)
        self._points_db = model.points_db.cpu().numpy()
        self._arrays = NestedArrays(model, k) if device == "cpu" else None

    @classmethod
    def load(cls, k: int, device: str) -> Self:
        """The model that `semlink train nested` left."""
        return cls.from_file(weights_path(cls.name, "model.safetensors", cls.command), k, device)

    @classmethod
    def from_file(cls, path: Path, k: int, device: str) -> Self:
        """A model from a safetensors file whose metadata holds `clip_fingerprint`; all lengths share it."""
        model, clip_fingerprint, analogue = _read_model(path, path.stat().st_mtime_ns, device)
        return cls(model, k, clip_fingerprint, device, analogue)

    @torch.inference_mode()
    def encode(self, embeddings: Embeddings, snr_db: DesignSnr | None = None) -> Complex:
        """Symbols [B, k/2] of unit-length `embeddings`: [B, D]. snr_db: [B], dB, NaN for the default."""
        design = self.design_snr_db(snr_db, len(embeddings))
        points = np.abs(design[:, None] - self._points_db).argmin(axis=1)
        if self._arrays is None:
            e = self._tensor(embeddings)
            latent = self.model.encode(e, torch.from_numpy(points).to(self.device))[:, : self.k].cpu().numpy()
        else:
            latent = self._arrays.encode(np.asarray(embeddings, np.float32), points)
        plain = np.array([self.mode(point) == 1 for point in design.tolist()])
        if self.analogue is not None and plain.any():
            analogue = self.analogue.encode(self._tensor(embeddings), self.k).cpu().numpy()
            latent = np.where(plain[:, None], analogue, latent)
        return to_symbols(latent * _ROOT_HALF)

    def mode(self, snr_db: float) -> int:
        """See `BaseCodec.mode`: 1 without a category, at a design SNR where validation found that better."""
        if self.analogue is None or self._rounds:
            return 0
        design = self.default_design_snr_db if math.isnan(snr_db) else snr_db
        return int(design >= float(self.analogue.from_db[self.lengths.index(self.k)]))

    def with_mode(self, mode: int) -> Self:
        """See `BaseCodec.with_mode`."""
        return self._with(_mode=1) if mode == 1 and self.analogue is not None else super().with_mode(mode)

    def in_torch(self) -> Self:
        """See `BaseCodec.in_torch`; as on a GPU."""
        return self._with(_arrays=None)

    def in_rounds(self) -> Self:
        """See `BaseCodec.in_rounds`."""
        return self._with(_rounds=True)

    @torch.inference_mode()
    def decode(self, x_hat: Complex, n0_eff: Floats) -> Decoded:
        """Embeddings, and log-probabilities of the categories, by the codec's prior."""
        latent, powers = to_latent(x_hat) / _ROOT_HALF, latent_noise(n0_eff)
        if self._mode == 0 and self._arrays is not None and powers.shape[1] == 1 and not np.isnan(powers).any():
            return Decoded(*self._arrays.decode(latent, powers, self._log_prior.numpy()))
        y, noise = self._tensor(latent), self._tensor(powers)
        if self._mode == 1 and self.analogue is not None:
            return Decoded(self.analogue.decode(y, noise).cpu().numpy())
        unknown = noise.isnan().any(dim=1)
        embeddings = y.new_empty(len(y), self.model.prototypes.shape[1])
        log_posterior = y.new_empty(len(y), len(self._log_prior))
        for rows in (~unknown, unknown):
            if rows.any():
                embeddings[rows], log_posterior[rows] = self.model.decode(y[rows], noise[rows], self._log_prior)
        return Decoded(embeddings.cpu().numpy(), log_posterior.cpu().numpy())

    @torch.inference_mode()
    def categories(self, embeddings: Embeddings) -> LogProbabilities | None:
        """See `Codec.categories`; None for a burst that came without a category."""
        if self._mode == 1:
            return None
        found: LogProbabilities = self.model.log_categories(self._tensor(embeddings)).cpu().numpy()
        return found

    def with_prior(self, log_prior: LogProbabilities) -> Self:
        """See `Codec.with_prior`."""
        return self._with(_log_prior=self._tensor(log_prior))

    def _tensor(self, array: Floats) -> Tensor:
        return torch.from_numpy(np.require(array, np.float32, ["C", "W"])).to(self.device)


class NestedUnlabelled(Nested):
    """The same code, trained without labels: its categories are clusters of embeddings."""

    name: ClassVar[str] = "nested-unlabelled"
    command: ClassVar[str] = "semlink train nested --unlabelled"


@lru_cache(maxsize=2)
def _read_model(path: Path, _modified_ns: int, device: str) -> tuple[NestedModel, str, Analogue | None]:
    tensors, metadata = read_weights(path, Nested.name)
    with holding_weights(path, Nested.name):
        parts = [tensors[name] for name in Analogue._fields if name in tensors]
        analogue = Analogue(*parts).to(device) if parts else None
        return NestedModel(**tensors).to(device), metadata["clip_fingerprint"], analogue


def latent_noise(n0_eff: Floats) -> Floats:
    """Noise power of each real dimension of a latent of unit power: [B, 1] if constant over a burst, or [B, k].

    n0_eff: [B, k/2], after zero forcing, NaN if not known.
    """
    noise = np.asarray(n0_eff, np.float32)
    same = np.array_equal(noise, np.broadcast_to(noise[:, :1], noise.shape), equal_nan=True)
    return noise[:, :1] if same else np.repeat(noise, 2, axis=1)
