"""What the training of `uo-isc` lowers: errors of pictures, of what the judge sees in them, and of segments."""

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional as F

from shared.codecs.query.tokens import SEGMENT_BITS

_BLUR: Final = 0.5  # share of the pictures that are blurred before the judge looks, against checkerboards
_NOISE: Final = 0.02
_ELSEWHERE: Final = 0.1
_COMMITMENT: Final = 0.25


def weights_of_pixels(chosen: Tensor, gates: Tensor) -> Tensor:
    """How much each pixel counts: [Q, 1, 64, 64]. chosen, gates: [Q, 8, 8], cells that are sent and asked about."""
    sent, asked = (F.max_pool2d(each[:, None].float(), 3, 1, 1) for each in (chosen, gates))
    return F.interpolate(_ELSEWHERE + sent + 2 * asked, scale_factor=8.0, mode="bilinear")


def error_of_pictures(rebuilt: Tensor, pictures: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean of |e| + 3 e^2."""
    error = (rebuilt - pictures).abs()
    return (weights * (error + 3 * error.square())).sum() / (3 * weights.sum())


def disturbed(pictures: Tensor) -> Tensor:
    """Pictures with some noise, half of them blurred: what only a network would see is gone."""
    kernel = pictures.new_tensor([1.0, 2.0, 1.0]) / 4
    blurred = F.conv2d(
        F.pad(pictures, [1] * 4, mode="replicate"), (kernel[:, None] * kernel).expand(3, 1, 3, 3), groups=3
    )
    soft = torch.rand(len(pictures), 1, 1, 1, device=pictures.device) < _BLUR
    return torch.where(soft, blurred, pictures) + _NOISE * torch.randn_like(pictures)


def error_of_maps(first: Tensor, second: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean difference of hidden maps [Q, C, H, W], over the mean of the second. weights: [Q, 1, 64, 64]."""
    at = F.adaptive_avg_pool2d(weights, (first.shape[2], first.shape[3]))
    difference = (at * (first.float() - second.float()).abs()).sum() / (at.sum() * first.shape[1])
    return difference / second.float().abs().mean().clamp_min(1e-3)


def intent(first: tuple[Tensor, ...], second: tuple[Tensor, ...]) -> Tensor:
    """1 - cos of the answerer's hidden states, mean over layers (arXiv 2509.08913)."""
    likeness = [
        F.cosine_similarity(one.float().flatten(1), other.float().flatten(1)).mean()
        for one, other in zip(first, second, strict=True)
    ]
    return 1 - torch.stack(likeness).mean()


def error_of_segments(continuous: Tensor, codewords: Tensor) -> Tensor:
    """Books follow the segments, and segments their codewords a little."""
    to_books = (codewords - continuous.detach()).square().sum(2).mean()
    return to_books + _COMMITMENT * (continuous - codewords.detach()).square().sum(2).mean()


def perplexity(indices: Tensor) -> float:
    """How many codewords of a book are in use: exp of the entropy of indices [M, S], mean over the S segments."""
    shares = F.one_hot(indices.T, 1 << SEGMENT_BITS).float().mean(1)
    return float(torch.special.entr(shares).sum(1).exp().mean())


def with_wrong_bits(indices: Tensor, share: Tensor) -> Tensor:
    """Indices [M, S] of `SEGMENT_BITS` bits as hard decisions leave them. share: of wrong bits, for each token, [M]."""
    places = torch.arange(SEGMENT_BITS, device=indices.device)
    wrong = torch.rand(*indices.shape, SEGMENT_BITS, device=indices.device) < share[:, None, None]
    return indices ^ (wrong.to(indices.dtype) << places).sum(2)
