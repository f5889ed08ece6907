"""Losses for pictures and captions that share classes.

Plain CLIP counts every other caption of a batch as wrong. Here many captions of a batch have the same class, so the
targets follow the labels (UniCL, Yang et al., 2022), and pictures of one class are pulled together as well (SupCon,
Khosla et al., 2020).
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def picture_to_caption(images: Tensor, texts: Tensor, targets: Tensor, scale: Tensor, smoothing: float) -> Tensor:
    """Each picture finds its class's caption among all classes.

    images: [B, D] and texts: [C, D], float32, L2-normalised; targets: [B], int64
    """
    return F.cross_entropy(scale * images @ texts.T, targets, label_smoothing=smoothing)


def caption_to_picture(images: Tensor, texts: Tensor, targets: Tensor, scale: Tensor) -> Tensor:
    """Each caption of a class in the batch finds the pictures of its class, all of them equally."""
    present = torch.unique(targets)
    logits = scale * texts[present] @ images.T
    same = (targets[None, :] == present[:, None]).float()
    return spread_cross_entropy(logits, same)


def picture_to_picture(images: Tensor, targets: Tensor, temperature: float) -> Tensor:
    """Each picture finds the others of its class; a picture alone in its class does not count."""
    itself = torch.eye(len(images), dtype=torch.bool, device=images.device)
    logits = (images @ images.T / temperature).masked_fill(itself, -1e4)
    same = ((targets[None, :] == targets[:, None]) & ~itself).float()
    paired = same.sum(dim=1) > 0
    return spread_cross_entropy(logits[paired], same[paired])


def spread_cross_entropy(logits: Tensor, same: Tensor) -> Tensor:
    """Cross entropy against a target spread evenly over the marked columns of each row."""
    target = same / same.sum(dim=1, keepdim=True)
    return -(target * logits.log_softmax(dim=1)).sum(dim=1).mean()
