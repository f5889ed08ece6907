"""Learns the words and gains of the nested code, end to end through the channel.

    c, z --words, gains--> latent --first k, + noise--> log p(c | y), E[z | y, c]

    loss = sum over k of   a_k cross-entropy of c   +   b_k |W_c (z - E[z | y, c])|^2

All prefixes at once, one operating point for each batch, the true SNR somewhere near it.
"""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lab.bench.energy import Spent, spent_on
from shared.codecs.embedding.nested_model import (
    LENGTHS,
    SEGMENTS,
    Prefix,
    expected_coordinates,
    log_likelihood,
    pilot_pattern,
    superpose,
)
from shared.units import n0_from_snr_db

CATEGORY: Mapping[int, float] = {8: 2.0, 16: 3.0, 32: 2.0, 64: 1.0, 128: 1.0, 256: 1.0}
DETAIL: Mapping[int, float] = {8: 0.25, 16: 0.25, 32: 0.25, 64: 1.0, 128: 1.5, 256: 3.0}
"""Weights of cross-entropy and squared error: the short codes are for the category."""

USEFUL_DB: Mapping[int, float] = {8: -2.0, 16: -6.0, 32: -9.0, 64: -12.0, 128: -15.0, 256: -18.0}
"""SNR below which no code tells the category in a third of all cases. What happens there counts little."""

_USELESS = 0.1

OPERATING_POINTS_DB = (-14.0, -8.0, -4.0, 0.0, 4.0, 8.0, 12.0)
_MISMATCH_DB = 2.0
_LEAST_WORD = 0.03  # of a segment's power
_EXCLUDED = -30.0


@dataclass(frozen=True)
class Material:
    """What is sent in training.

    categories: [N], int64. coordinates: [N, n]. spread: [C, n], standard deviation of each axis, in embeddings.
    collections: [C], int64: which categories come together. A receiver whose knowledge base holds one collection need
    not tell its categories from those of another.
    """

    categories: Tensor
    coordinates: Tensor
    spread: Tensor
    collections: Tensor


class CodeParameters(nn.Module):
    """What is learned: directions of the words, and at each operating point the gains.

    Where the gain of a dimension is large, the refinement disturbs the word, which therefore leans on the others: its
    amplitude goes with (1 + gain^2 / N0)^-lean. Without any gain, words are the same at all operating points.
    """

    def __init__(self, material: Material) -> None:
        super().__init__()
        classes, axes = material.spread.shape
        points = len(OPERATING_POINTS_DB)
        self.register_buffer("place", pilot_pattern(axes))
        self.directions = nn.Parameter(torch.randn(classes, LENGTHS[-1]))
        self.lean = nn.Parameter(torch.full((points,), 0.5))
        self.gains = nn.Parameter(_first_gains(material.spread.square().mean(dim=0).sqrt() @ self.place.T))
        self.place: Tensor

    def words(self, point: int) -> Tensor:
        """Words [C, 256] at an operating point: with the refinement of average power they fill each segment."""
        n0 = n0_from_snr_db(OPERATING_POINTS_DB[point])
        shaped = self.directions * (1 + self.gains[point].square() / n0) ** -self.lean[point]
        filled = []
        for start, stop in SEGMENTS:
            share = (1 - self.gains[point, start:stop].square().mean()).clamp(min=_LEAST_WORD)
            filled.append(F.normalize(shaped[:, start:stop], dim=1) * ((stop - start) * share).sqrt())
        return torch.cat(filled, dim=1)


def _first_gains(spread: Tensor) -> Tensor:
    """Gains [T, 256] to begin with: more with the SNR and with the segment, proportional to sqrt(spread) within it."""
    gains = torch.zeros(len(OPERATING_POINTS_DB), len(spread))
    for point in range(len(OPERATING_POINTS_DB)):
        for segment, (start, stop) in enumerate(SEGMENTS):
            share = 0.02 + 0.78 * point / (len(OPERATING_POINTS_DB) - 1) * segment / (len(SEGMENTS) - 1)
            power = spread[start:stop] / spread[start:stop].mean()
            gains[point, start:stop] = (share * power).sqrt()
    return gains


def loss_at(
    code: CodeParameters, material: Material, members: Tensor, point: int, generator: torch.Generator
) -> Tensor:
    """Mean loss of some of the material at one operating point."""
    categories, z = material.categories[members], material.coordinates[members]
    words, gains = code.words(point), code.gains[point]
    sent = superpose(words[categories], gains * (z @ code.place.T))
    prior = _prior(material.collections, categories, generator)
    total = torch.zeros((), device=z.device)
    for k in LENGTHS:
        snr_db = OPERATING_POINTS_DB[point] + _MISMATCH_DB * float(torch.randn((), generator=generator))
        noise = torch.full((1, 1), n0_from_snr_db(snr_db), device=z.device)
        y = sent[:, :k] + noise.sqrt() * torch.randn(len(z), k, generator=generator).to(z.device)
        scores = log_likelihood(y, noise, Prefix.of(words, gains[:, None] * code.place, k)) + prior
        estimate = expected_coordinates(y, noise, words[categories], gains.expand(len(z), -1), code.place)
        error = (material.spread[categories] * (z - estimate)).square().sum(dim=1).mean()
        weight = CATEGORY[k] * (1.0 if snr_db > USEFUL_DB[k] else _USELESS)
        total = total + weight * F.cross_entropy(scores, categories) + DETAIL[k] * error
    return total


def _prior(collections: Tensor, categories: Tensor, generator: torch.Generator) -> Tensor:
    """What receivers know: nine times in ten the collection of their knowledge base, [B, C], log; else nothing."""
    if float(torch.rand((), generator=generator)) > 0.9:
        return torch.zeros(1, len(collections), device=collections.device)
    return torch.where(collections[categories][:, None] == collections[None, :], 0.0, _EXCLUDED)


@dataclass
class Progress:
    """Where a training stands; all of it goes into a checkpoint."""

    round: int = 0
    best: float = float("inf")
    best_round: int = 0
    best_state: dict[str, Any] | None = None
    curves: list[dict[str, float]] = field(default_factory=list)


class CodeTrainer:
    """Rounds of `steps` batches, each with random numbers of its own: a resumed run goes on as if never stopped."""

    def __init__(self, train: Material, held_out: Material, *, rounds: int, steps: int, batch: int, seed: int) -> None:
        self._train, self._held_out = train, held_out
        self._rounds, self._steps, self._batch, self._seed = rounds, steps, batch, seed
        torch.manual_seed(seed)
        self.code = CodeParameters(train).to(train.spread.device)
        words = {"params": [self.code.directions], "lr": 0.02}
        self._optimizer = torch.optim.Adam([words, {"params": [self.code.lean, self.code.gains], "lr": 0.01}])
        self._schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self._optimizer, rounds * steps)
        self.progress = Progress()
        self.spent: Spent | None = None
        """On the last round of this process."""

    def run(self, save: Callable[[dict[str, Any]], None], report: Callable[[float], None], patience: int = 4) -> None:
        """Train to the end, or until `patience` rounds bring nothing; the best round's parameters stay in `code`."""
        progress = self.progress
        while progress.round < self._rounds and progress.round - progress.best_round <= patience:
            with spent_on(self._train.spread.device) as self.spent:
                self._train_round()
                loss = self.held_out_loss()
            progress.round += 1
            progress.curves.append({"epoch": progress.round, "validation_loss": loss, **self.spent.row})
            if loss < progress.best:
                progress.best, progress.best_round = loss, progress.round
                progress.best_state = copy.deepcopy(self.code.state_dict())
            save(self.state_dict())
            report(loss)
        assert progress.best_state is not None
        self.code.load_state_dict(progress.best_state)

    def _train_round(self) -> None:
        generator = torch.Generator().manual_seed(self._seed * 1_000_003 + self.progress.round)
        for _ in range(self._steps):
            members = torch.randint(len(self._train.categories), (self._batch,), generator=generator)
            point = int(torch.randint(len(OPERATING_POINTS_DB), (), generator=generator))
            loss = loss_at(self.code, self._train, members.to(self._train.categories.device), point, generator)
            self._optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            self._optimizer.step()
            self._schedule.step()

    @torch.no_grad()
    def held_out_loss(self) -> float:
        """Mean loss of the held-out material over all operating points; the same noise on every call."""
        generator = torch.Generator().manual_seed(self._seed)
        members = torch.arange(len(self._held_out.categories), device=self._held_out.categories.device)[:2000]
        losses = [
            loss_at(self.code, self._held_out, members, point, generator) for point in range(len(OPERATING_POINTS_DB))
        ]
        return float(torch.stack(losses).mean())

    def state_dict(self) -> dict[str, Any]:
        """Everything that a checkpoint needs."""
        return {
            "code": self.code.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "schedule": self._schedule.state_dict(),
            "progress": dict(vars(self.progress)),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.code.load_state_dict(state["code"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._schedule.load_state_dict(state["schedule"])
        self.progress = Progress(**state["progress"])
