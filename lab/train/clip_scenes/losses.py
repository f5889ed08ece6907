"""What a scene and its words should agree on. All embeddings have length 1; scale: of their cosines."""

import torch
from torch import Tensor
from torch.nn import functional as F

from lab.train.clip.losses import spread_cross_entropy


def of_captions(images: Tensor, texts: Tensor, right: Tensor, scale: Tensor) -> Tensor:
    """Pictures find their captions among those of the batch, and captions their pictures.

    images: [B, D]. texts: [B, D]. right: [B, B], 1 where the caption of a column is true of the picture of a row, which
    may be several
    """
    logits = scale * images @ texts.T
    return (spread_cross_entropy(logits, right) + spread_cross_entropy(logits.T, right.T)) / 2


def of_answers(images: Tensor, texts: Tensor, answers: Tensor, scale: Tensor) -> Tensor:
    """Pictures find the question with the right answer among the same question with all answers of its kind.

    images: [Q, D]. texts: [Q, A, D], 0 where a kind has fewer than A answers. answers: [Q], the right one of A
    """
    logits = scale * torch.einsum("qd,qad->qa", images, texts)
    return F.cross_entropy(logits.masked_fill(texts.square().sum(2) == 0, -1e4), answers)


def of_cells(cells: Tensor, texts: Tensor, combinations: Tensor, scale: Tensor) -> Tensor:
    """The cell of an object finds its name among those of all combinations. cells: [M, D]. texts: [C, D]."""
    return F.cross_entropy(scale * cells @ texts.T, combinations)
