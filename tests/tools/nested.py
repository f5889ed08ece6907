"""A nested code of random parameters."""

import numpy as np
import torch

from shared.codecs.embedding.nested import Nested
from shared.codecs.embedding.nested_model import NestedModel
from shared.codecs.embedding.nested_shape import SEGMENTS
from shared.types import Embeddings

CLASSES, DIM, AXES, POINTS = 12, 48, 6, 6


def unit(rows: "np.ndarray") -> Embeddings:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def some_model(seed: int = 0) -> NestedModel:
    """Random parameters of a shape that training could give."""
    rng = torch.Generator().manual_seed(seed)
    prototypes = torch.nn.functional.normalize(torch.randn(CLASSES, DIM, generator=rng), dim=1)
    basis = torch.linalg.qr(torch.randn(DIM, AXES, generator=rng))[0]
    axes = torch.linalg.qr(torch.randn(CLASSES, AXES, AXES, generator=rng))[0] * torch.linspace(0.3, 0.05, AXES)
    gains = torch.linspace(0.05, 0.5, POINTS)[:, None] * torch.ones(256)
    words = torch.randn(POINTS, CLASSES, 256, generator=rng)
    for start, stop in SEGMENTS:
        share = (1 - gains[:, start].square()) * (stop - start)
        words[:, :, start:stop] *= (share[:, None] / words[:, :, start:stop].square().sum(dim=2)).sqrt()[:, :, None]
    return NestedModel(
        weight=20 * prototypes, bias=torch.zeros(CLASSES), prototypes=prototypes, basis=basis, axes=axes,
        points_db=torch.linspace(-8, 12, POINTS), words=words, gains=gains,
    )  # fmt: skip


def codec(model: NestedModel, k: int) -> Nested:
    return Nested.of_model(model, k, "c0ffee", "cpu")


def mixture_of(model: NestedModel) -> Embeddings:
    """300 embeddings drawn from the model's own mixture."""
    rng = torch.Generator().manual_seed(1)
    categories = torch.arange(300) % CLASSES
    z = torch.randn(300, AXES, generator=rng)
    drawn = model.prototypes[categories] + torch.einsum("bn,bmn->bm", z, model.axes[categories]) @ model.basis.T
    return unit(drawn.numpy())
