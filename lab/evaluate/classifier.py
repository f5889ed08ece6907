"""Upper bound: accuracy of the best classifier on clean embeddings."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from shared.types import Embeddings, Labels


@dataclass(frozen=True)
class ClassifierSettings:
    """How a classifier is trained. hidden: widths of layers between. noise: added to unit vectors, as a length."""

    hidden: tuple[int, ...] = ()
    noise: float = 0.0
    epochs: int = 6


CLASSIFIERS = (
    ClassifierSettings(),
    ClassifierSettings(noise=0.5),
    ClassifierSettings(noise=1.0),
    ClassifierSettings(hidden=(512,), noise=0.5),
)

SCALE = 12.0
"""What unit-length embeddings are multiplied by before a classifier sees them."""

_BATCH, _LR = 512, 1e-3

_SEEN = 300_000
"""Embeddings in all epochs: a small set is repeated."""
_MOST_EPOCHS = 600
"""Where a batch holds all embeddings; more steps change no accuracy."""


def epochs_for(count: int) -> int:
    """Epochs of a training on `count` embeddings."""
    return min(max(ClassifierSettings().epochs, _SEEN // count), _MOST_EPOCHS)


def best_accuracy(
    train: tuple[Embeddings, Labels],
    test: tuple[Embeddings, Labels],
    settings: Sequence[ClassifierSettings] = CLASSIFIERS,
    seed: int = 0,
) -> float:
    """Accuracy on the test part of the best of several classifiers, each trained on the train part.

    Embeddings [N, D], float32, unit length, and labels [N], 0 to C - 1. The best one is chosen by the test part itself:
    what is asked for is a ceiling, not a classifier to use.
    """
    classes = int(train[1].max()) + 1
    return max(accuracy(fit(*train, classes, chosen, seed), *test) for chosen in settings)


def fit(embeddings: Embeddings, labels: Labels, classes: int, chosen: ClassifierSettings, seed: int) -> nn.Module:
    """Train one classifier by cross-entropy: embeddings [B, D] to logits [B, C]."""
    torch.manual_seed(seed)
    x, y = torch.from_numpy(embeddings), torch.from_numpy(labels)
    network = _network(x.shape[1], classes, chosen.hidden)
    optimizer = torch.optim.Adam(network.parameters(), _LR)
    steps = chosen.epochs * -(-len(x) // _BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(chosen.epochs):
        for members in torch.split(torch.randperm(len(x)), _BATCH):
            loss = F.cross_entropy(network(_disturbed(x[members], chosen.noise) * SCALE), y[members])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
    return network.eval()


@torch.inference_mode()
def accuracy(network: nn.Module, embeddings: Embeddings, labels: Labels) -> float:
    """Share of embeddings [N, D] whose largest logit is their label's."""
    logits: Tensor = network(torch.from_numpy(embeddings) * SCALE)
    return float((logits.argmax(dim=1).numpy() == labels).mean())


def _network(width: int, classes: int, hidden: tuple[int, ...]) -> nn.Module:
    widths = (width, *hidden)
    layers = [layer for one, two in pairwise(widths) for layer in (nn.Linear(one, two), nn.GELU(), nn.Dropout(0.3))]
    return nn.Sequential(*layers, nn.Linear(widths[-1], classes))


def _disturbed(x: Tensor, noise: float) -> Tensor:
    """Unit vectors, pushed in a random direction by about `noise` and brought back to unit length."""
    return F.normalize(x + noise * torch.randn_like(x) / x.shape[1] ** 0.5, dim=1) if noise else x
