"""Trains the codewords and gains of the nested code, end to end through the channel.

    c, z --codewords, gains--> latent --first k, + noise--> log p(c | y), E[z | y, c]

    loss = sum over k of   a_k cross-entropy of c   +   b_k |W_c (z - E[z | y, c])|^2

All prefixes at once, one design SNR for each batch; the true SNR is normally distributed around it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lab.train.common.fit import Training
from lab.train.nested import NestedSettings
from shared.codecs.embedding.nested_model import Prefix, expected_coordinates, log_likelihood, superpose
from shared.codecs.embedding.nested_shape import LENGTHS, SEGMENTS, axis_pattern
from shared.units import n0_from_snr_db

CATEGORY: Mapping[int, float] = {8: 2.0, 16: 3.0, 32: 2.0, 64: 1.0, 128: 1.0, 256: 1.0}
DETAIL: Mapping[int, float] = {8: 0.25, 16: 0.25, 32: 0.25, 64: 1.0, 128: 1.5, 256: 3.0}
"""Weights of cross-entropy and squared error: the short codes are for the category."""

USEFUL_DB: Mapping[int, float] = {8: -2.0, 16: -6.0, 32: -9.0, 64: -12.0, 128: -15.0, 256: -18.0}
"""SNR below which every code decides for a wrong category in two of three cases: cross-entropy there has weight 0.1."""

_USELESS_WEIGHT = 0.1

DESIGN_SNRS_DB = (-14.0, -8.0, -4.0, 0.0, 4.0, 8.0, 12.0)
_MISMATCH_DB = 2.0
_LEAST_SHARE = 0.03  # of a segment's power
_EXCLUDED = -30.0


@dataclass(frozen=True)
class Material:
    """Samples to send in training.

    categories: [N], int64. coordinates: [N, n]. spread: [C, n], standard deviation of each axis, in embeddings.
    collections: [C], int64: the collection of each category. A receiver whose knowledge base holds one collection
    decides among its categories only.
    """

    categories: Tensor
    coordinates: Tensor
    spread: Tensor
    collections: Tensor

    def to(self, device: torch.device) -> Self:
        """The same material, on a device."""
        return type(self)(*(part.to(device) for part in vars(self).values()))


class CodeParameters(nn.Module):
    """The parameters: directions of the codewords, and at each design SNR the gains.

    Where the gain of a dimension is large, the refinement disturbs the codeword, so the codeword's power moves to the
    other dimensions: its amplitude is proportional to (1 + gain^2 / N0)^-lean. Without any gain, codewords are the same
    at all design SNRs.
    """

    def __init__(self, material: Material) -> None:
        super().__init__()
        classes, axes = material.spread.shape
        points = len(DESIGN_SNRS_DB)
        self.register_buffer("place", torch.from_numpy(axis_pattern(axes)))
        self.directions = nn.Parameter(torch.randn(classes, LENGTHS[-1]))
        self.lean = nn.Parameter(torch.full((points,), 0.5))
        self.gains = nn.Parameter(_first_gains(material.spread.square().mean(dim=0).sqrt() @ self.place.T))
        self.place: Tensor

    def codewords(self, point: int) -> Tensor:
        """Codewords [C, 256] at a design SNR; each segment, with a refinement of average power, has unit power."""
        n0 = n0_from_snr_db(DESIGN_SNRS_DB[point])
        shaped = self.directions * (1 + self.gains[point].square() / n0) ** -self.lean[point]
        filled = []
        for start, stop in SEGMENTS:
            share = (1 - self.gains[point, start:stop].square().mean()).clamp(min=_LEAST_SHARE)
            filled.append(F.normalize(shaped[:, start:stop], dim=1) * ((stop - start) * share).sqrt())
        return torch.cat(filled, dim=1)


def _first_gains(spread: Tensor) -> Tensor:
    """Initial gains [T, 256]: they rise with SNR and segment; within a segment, proportional to sqrt(spread)."""
    gains = torch.zeros(len(DESIGN_SNRS_DB), len(spread))
    for point in range(len(DESIGN_SNRS_DB)):
        for segment, (start, stop) in enumerate(SEGMENTS):
            share = 0.02 + 0.78 * point / (len(DESIGN_SNRS_DB) - 1) * segment / (len(SEGMENTS) - 1)
            power = spread[start:stop] / spread[start:stop].mean()
            gains[point, start:stop] = (share * power).sqrt()
    return gains


def loss_at(
    code: CodeParameters, material: Material, members: Tensor, point: int, generator: torch.Generator
) -> Tensor:
    """Mean loss of some of the material at one design SNR."""
    categories, z = material.categories[members], material.coordinates[members]
    codewords, gains = code.codewords(point), code.gains[point]
    sent = superpose(codewords[categories], gains * (z @ code.place.T))
    prior = _prior(material.collections, categories, generator)
    total = torch.zeros((), device=z.device)
    for k in LENGTHS:
        snr_db = DESIGN_SNRS_DB[point] + _MISMATCH_DB * float(torch.randn((), generator=generator))
        noise = torch.full((1, 1), n0_from_snr_db(snr_db), device=z.device)
        y = sent[:, :k] + noise.sqrt() * torch.randn(len(z), k, generator=generator).to(z.device)
        scores = log_likelihood(y, noise, Prefix.of(codewords, gains[:, None] * code.place, k)) + prior
        estimate = expected_coordinates(y, noise, codewords[categories], gains.expand(len(z), -1), code.place)
        error = (material.spread[categories] * (z - estimate)).square().sum(dim=1).mean()
        weight = CATEGORY[k] * (1.0 if snr_db > USEFUL_DB[k] else _USELESS_WEIGHT)
        total = total + weight * F.cross_entropy(scores, categories) + DETAIL[k] * error
    return total


def _prior(collections: Tensor, categories: Tensor, generator: torch.Generator) -> Tensor:
    """Log prior of the receiver, [B, C]: for nine batches of ten it knows the collection, else all are equal."""
    if float(torch.rand((), generator=generator)) > 0.9:
        return torch.zeros(1, len(collections), device=collections.device)
    return torch.where(collections[categories][:, None] == collections[None, :], 0.0, _EXCLUDED)


class CodeTraining(Training):
    """Codewords and gains in training: rounds of `steps` batches, judged by the loss of held-out material."""

    monitor = "validation_loss"
    mode = "min"

    def __init__(self, learned: Material, held_out: Material, settings: NestedSettings) -> None:
        super().__init__(settings.steps, settings.seed)
        self._learned, self._held_out, self._settings = learned, held_out, settings
        self.code = CodeParameters(learned)

    def batches(self) -> Iterator[tuple[Tensor, int]]:
        """Members of the material, and the design SNR that they are sent at."""
        for _ in range(self.steps):
            members = torch.randint(len(self._learned.categories), (self.share(self._settings.batch_size),))
            yield members, int(torch.randint(len(DESIGN_SNRS_DB), ()))

    def training_step(self, batch: tuple[Tensor, int], _: int) -> Tensor:
        """See `loss_at`."""
        return self.logged(loss_at(self.code, self._learned.to(self.device), *batch, torch.default_generator))

    def configure_optimizers(self) -> Any:
        """Adam; its rates fall to zero over the whole run, as a cosine."""
        codewords = {"params": [self.code.directions], "lr": 0.02}
        optimizer = torch.optim.Adam([codewords, {"params": [self.code.lean, self.code.gains], "lr": 0.01}])
        total = self._settings.rounds * self.steps
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, total)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    @torch.no_grad()
    def measure(self) -> dict[str, float]:
        """Mean loss of the held-out material over all design SNRs."""
        generator, held_out = torch.Generator().manual_seed(self.seed), self._held_out.to(self.device)
        members = torch.arange(len(held_out.categories), device=self.device)[:2000]
        points = range(len(DESIGN_SNRS_DB))
        losses = [loss_at(self.code, held_out, members, point, generator) for point in points]
        return {"validation_loss": float(torch.stack(losses).mean())}
