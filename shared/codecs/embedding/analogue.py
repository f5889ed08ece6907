"""Analogue transmission of an embedding along the principal axes of its source, without any category.

    e --less mean, axes--> z [k] --gains, unit power--> latent [k]         y [k] --LMMSE, axes, mean--> e_hat

The squared gains are proportional to the axis' standard deviation: for k parallel Gaussian sources over as many uses of
a Gaussian channel that is the linear code of least squared error as N0 -> 0 (Lee and Petersen, "Optimal linear coding
for vector channels", IEEE Trans. Communications 24, 1976). The gains do not depend on the SNR, so the receiver need
not know for which SNR the sender designed. Taking the mean away saves most of the power for embeddings in a narrow
cone.
"""

from typing import Final, NamedTuple, Self

import torch
from torch import Tensor

LEAST: Final = 1e-6
ALWAYS_DB, NEVER_DB = -1000.0, 1000.0
"""Design SNRs from which on a length is always, or never, sent this way."""


class Analogue(NamedTuple):
    """mean: [D]. main_axes: [n, D], orthonormal, strongest first. main_spread: [n], standard deviation along each, in
    embeddings. from_db: [lengths], dB, the design SNR from which on each length of `nested` is sent this way.
    """

    mean: Tensor
    main_axes: Tensor
    main_spread: Tensor
    from_db: Tensor

    def to(self, device: str) -> Self:
        """The same on a device."""
        return type(self)(*(part.to(device) for part in self))

    def encode(self, embeddings: Tensor, k: int) -> Tensor:
        """Latent [B, k] of unit mean power in each row, of embeddings [B, D]."""
        axes, spread, gains = self._first(k)
        x = gains * ((embeddings - self.mean) @ axes.T) / spread
        latent = torch.nn.functional.pad(x, (0, k - x.shape[1]))
        power = latent.square().mean(dim=1, keepdim=True)
        return torch.where(power > LEAST**2, latent / power.clamp(min=LEAST**2).sqrt(), torch.ones_like(latent))

    def decode(self, y: Tensor, noise: Tensor) -> Tensor:
        """Embeddings [B, D] of received latents [B, k]. noise: [B, 1] or [B, k], of each dimension, NaN if unknown."""
        axes, spread, gains = self._first(y.shape[1])
        measured = (y.square().mean(dim=1, keepdim=True) - 1).clamp(min=0)
        noise = torch.where(noise.isnan(), measured, noise).expand_as(y)[:, : len(axes)]
        z = y[:, : len(axes)] * gains / (gains.square() + noise)
        return self.mean + (z * spread) @ axes

    def _first(self, k: int) -> tuple[Tensor, Tensor, Tensor]:
        """Axes, spread and gains of the first k dimensions, or of as many as there are axes."""
        axes, spread = self.main_axes[:k], self.main_spread[:k].clamp(min=LEAST)
        return axes, spread, (spread * (k / spread.sum())).sqrt()
