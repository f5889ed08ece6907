"""`nested` in torch: on a GPU; on a processor for noise that is unknown or varies, and bursts without a category.

`nested_noises` does the former where torch is not installed.
"""

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from shared.codecs.base.weight_files import holding_weights, read_weights
from shared.codecs.embedding.analogue import Analogue
from shared.codecs.embedding.nested_model import NestedModel
from shared.types import Embeddings, Floats, Ints


class NestedInTorch(NamedTuple):
    """Model and analogue are on `device` and are not modified."""

    model: NestedModel
    analogue: Analogue | None
    device: str

    @torch.inference_mode()
    def encode(self, embeddings: Embeddings, points: Ints, k: int) -> Floats:
        """Latent [B, k] at design SNRs [B], positions in `points_db`."""
        latent = self.model.encode(self._tensor(embeddings), torch.from_numpy(points).to(self.device))
        found: Floats = latent[:, :k].cpu().numpy()
        return found

    @torch.inference_mode()
    def encode_analogue(self, embeddings: Embeddings, k: int) -> Floats:
        """Latent [B, k] without a category."""
        assert self.analogue is not None
        found: Floats = self.analogue.encode(self._tensor(embeddings), k).cpu().numpy()
        return found

    @torch.inference_mode()
    def decode(self, latent: Floats, powers: Floats, log_prior: Floats) -> tuple[Embeddings, Floats]:
        """Embeddings, and log-probabilities of the categories. powers: [B, 1] or [B, k], NaN where unknown."""
        y, noise, prior = self._tensor(latent), self._tensor(powers), self._tensor(log_prior)
        unknown = noise.isnan().any(dim=1)
        embeddings = y.new_empty(len(y), self.model.prototypes.shape[1])
        log_posterior = y.new_empty(len(y), len(prior))
        for rows in (~unknown, unknown):
            if rows.any():
                embeddings[rows], log_posterior[rows] = self.model.decode(y[rows], noise[rows], prior)
        return embeddings.cpu().numpy(), log_posterior.cpu().numpy()

    @torch.inference_mode()
    def decode_analogue(self, latent: Floats, powers: Floats) -> Embeddings:
        """Embeddings of a code without a category."""
        assert self.analogue is not None
        found: Embeddings = self.analogue.decode(self._tensor(latent), self._tensor(powers)).cpu().numpy()
        return found

    @torch.inference_mode()
    def log_categories(self, embeddings: Embeddings) -> Floats:
        """Log-probability of each category: [B, C]."""
        found: Floats = self.model.log_categories(self._tensor(embeddings)).cpu().numpy()
        return found

    def _tensor(self, array: Floats) -> Tensor:
        return torch.from_numpy(np.require(array, np.float32, ["C", "W"])).to(self.device)


@lru_cache(maxsize=2)
def read_in_torch(path: Path, _modified_ns: int, device: str) -> NestedInTorch:
    """What a file of weights holds; all lengths share it."""
    tensors, _ = read_weights(path, "nested")
    with holding_weights(path, "nested"):
        parts = [tensors[name] for name in Analogue._fields if name in tensors]
        analogue = Analogue(*parts).to(device) if parts else None
        return NestedInTorch(NestedModel(**tensors).to(device), analogue, device)
