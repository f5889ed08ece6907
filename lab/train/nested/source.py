"""Fits the source model of `shared.codecs.embedding.nested_model`: categories, and the spread of each.

The spread is measured on embeddings that the axes were not fitted to.
"""

from dataclasses import dataclass, replace

import faiss
import numpy as np
import torch
from torch import Tensor, nn

from lab.data.codec_data import LabelledEmbeddings
from lab.evaluate.classifier import SCALE, ClassifierSettings, epochs_for, fit
from shared.codecs.embedding.nested_model import coordinates_of
from shared.types import Embeddings, Labels

_FEW = 100
"""Embeddings that the axes of one category take at least."""

_SHRINKAGE = 0.2
"""Share of the common covariance in that of a category: a few hundred pictures do not determine 64 axes."""


@dataclass(frozen=True)
class Source:
    """Tensors as in `NestedModel`: weight [C, D], bias [C], prototypes [C, D], basis [D, m], axes [C or 1, m, n]."""

    weight: Tensor
    bias: Tensor
    prototypes: Tensor
    basis: Tensor
    axes: Tensor

    def categorize(self, embeddings: Tensor) -> Tensor:
        """The sender's decision for each of [N, D]: [N]."""
        return (embeddings @ self.weight.T + self.bias).argmax(dim=1)

    def coordinates(self, embeddings: Tensor, categories: Tensor) -> Tensor:
        """Coordinates of embeddings [N, D] in their categories [N]: [N, n], of variance about 1."""
        return coordinates_of((embeddings - self.prototypes[categories]) @ self.basis, self.axes, categories)


def find_clusters(embeddings: Embeddings, count: int, seed: int) -> Labels:
    """Cluster [N, D] by spherical k-means: [N], 0 to count - 1. It uses no label."""
    if count == 1:
        return np.zeros(len(embeddings), np.int64)
    kmeans = faiss.Kmeans(embeddings.shape[1], count, niter=30, seed=seed, spherical=True, verbose=False)
    kmeans.train(embeddings)
    found: Labels = kmeans.index.search(embeddings, 1)[1][:, 0].astype(np.int64)
    return found


def fit_source(train: LabelledEmbeddings, held_out: Embeddings, axes: int, seed: int) -> Source:
    """Fit the mixture. train: embeddings with the number of their category or cluster; axes: m and n.

    Categories share their axes where they have fewer than `_FEW` embeddings each.
    """
    classes = int(train.labels.max()) + 1
    weight, bias = _classifier(train, classes, seed)
    x, other = torch.from_numpy(train.embeddings), torch.from_numpy(held_out)
    chosen = (x @ weight.T + bias).argmax(dim=1)
    prototypes = _means(x, chosen, classes)
    rest = x - prototypes[chosen]
    basis = _principal(rest.T @ rest / len(rest), min(axes, len(rest), x.shape[1]))[0]
    shared = chosen if len(rest) >= _FEW * classes else torch.zeros_like(chosen)
    local = Source(weight, bias, prototypes, basis, _local_axes(rest @ basis, shared, int(shared.max()) + 1))
    spread = local.coordinates(other, local.categorize(other)).square().mean(dim=0).sqrt()
    return replace(local, axes=local.axes * spread)


def _classifier(train: LabelledEmbeddings, classes: int, seed: int) -> tuple[Tensor, Tensor]:
    """Softmax regression, which no deeper network beats on these embeddings: weight [C, D] and bias [C]."""
    if classes == 1:
        return torch.zeros(1, train.embeddings.shape[1]), torch.zeros(1)
    chosen = ClassifierSettings(epochs=epochs_for(len(train.labels)))
    network = fit(train.embeddings, train.labels, classes, chosen, seed)
    (layer,) = [module for module in network.modules() if isinstance(module, nn.Linear)]
    return SCALE * layer.weight.detach(), layer.bias.detach()


def _means(x: Tensor, categories: Tensor, classes: int) -> Tensor:
    """Mean of each category: [C, D]; of an empty one, the mean of all."""
    sums = torch.zeros(classes, x.shape[1]).index_add_(0, categories, x)
    counts = torch.bincount(categories, minlength=classes)[:, None]
    return torch.where(counts > 0, sums / counts.clamp(min=1), x.mean(dim=0))


def _local_axes(rest: Tensor, categories: Tensor, classes: int) -> Tensor:
    """Principal axes of each category, scaled by their standard deviation: [C, m, m], of the rests [N, m]."""
    common = rest.T @ rest / len(rest)
    return torch.stack([_axes(rest[categories == category], common) for category in range(classes)])


def _axes(rest: Tensor, common: Tensor) -> Tensor:
    if len(rest):
        own = rest.T @ rest / len(rest)
        common = (1 - _SHRINKAGE) * own + _SHRINKAGE * common * (own.trace() / common.trace())
    vectors, variances = _principal(common, len(common))
    return vectors * variances.clamp(min=1e-9).sqrt()


def _principal(covariance: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The strongest `count` eigenvectors [D, count] and their eigenvalues [count], strongest first."""
    values, vectors = torch.linalg.eigh(covariance.double())
    return vectors.flip(1)[:, :count].float(), values.flip(0)[:count].float()
