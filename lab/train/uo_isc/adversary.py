"""The adversary of the last phase: a critic of patches with spectral norm, trained as WGAN-GP.

    picture [3, 64, 64] --three convolutions, stride 2--> one score for each patch [8, 8]

PatchGAN: Isola et al., 2017; spectral norm: Miyato et al., 2018; gradient penalty: Gulrajani et al., 2017.
"""

from itertools import pairwise
from typing import Final

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.utils.parametrizations import spectral_norm

_WIDTHS: Final = (3, 32, 64, 128)
_PENALTY: Final = 10.0


class Critic(nn.Module):
    """Scores [B, 1, 8, 8] of pictures [B, 3, 64, 64] in about [0, 1]: high for real patches."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(_WIDTHS):
            layers += [spectral_norm(nn.Conv2d(inputs, outputs, 4, 2, 1)), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, spectral_norm(nn.Conv2d(_WIDTHS[-1], 1, 3, 1, 1)))

    def forward(self, pictures: Tensor) -> Tensor:
        """See the class."""
        scores: Tensor = self.layers(pictures)
        return scores


def error_of_critic(critic: Critic, pictures: Tensor, rebuilt: Tensor) -> Tensor:
    """What the critic lowers: scores of rebuilt pictures less those of real ones, and the penalty of its gradient."""
    fake = rebuilt.detach()
    between = torch.lerp(fake, pictures, torch.rand(len(fake), 1, 1, 1, device=fake.device)).requires_grad_()
    (gradient,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    penalty = (gradient.flatten(1).norm(dim=1) - 1).square().mean()
    error: Tensor = critic(fake).mean() - critic(pictures).mean() + _PENALTY * penalty
    return error


def error_of_deception(critic: Critic, rebuilt: Tensor) -> Tensor:
    """What the codec lowers: scores of rebuilt pictures, negative; no gradient reaches the critic."""
    held = {name: parameter.detach() for name, parameter in critic.named_parameters()}
    scores: Tensor = functional_call(critic, held, (rebuilt,))
    deception: Tensor = -scores.mean()
    return deception
