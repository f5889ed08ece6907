"""What learned codecs of pictures have in common: one long latent whose beginnings are the shorter ones.

    pictures --analyze--> latent [512] --first k, unit power--> z [k] --channel, zero forcing--> z_hat [k]
    z_hat --Wiener, zeros for what was not sent--> latent [512] --synthesize--> pictures

Both ends say how good a channel is by its reliability r = SNR / (1 + SNR), which is the Wiener gain of a symbol of unit
power: 0.17 at -7 dB, 0.91 at 10 dB. Unlike the dB it stays bounded in a deep fade.
"""

import math
from abc import ABC, abstractmethod
from typing import ClassVar, Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LATENT: Final = 512


class JsccNetwork(nn.Module, ABC):
    """Both halves of a codec for pictures. lengths: the k that it has, each the beginning of the next."""

    lengths: ClassVar[tuple[int, ...]]

    @abstractmethod
    def analyze(self, pictures: Tensor, reliability: Tensor, k: int) -> Tensor:
        """Latent [B, 512] of pictures [B, 3, 32, 32] in 0 .. 1; reliability [B, 1]: what the sender expects."""

    @abstractmethod
    def synthesize(self, latent: Tensor, reliability: Tensor, k: int) -> Tensor:
        """Pictures [B, 3, 32, 32] in 0 .. 1 of a latent [B, 512], zero beyond k; reliability [B, 1]: as received."""

    def encode(self, pictures: Tensor, reliability: Tensor, k: int) -> Tensor:
        """Latent [B, k], unit mean power per row."""
        latent = self.analyze(pictures, reliability, k)[:, :k].float()
        return latent / latent.square().mean(1, keepdim=True).clamp_min(1e-12).sqrt()

    def decode(self, z_hat: Tensor, noise: Tensor) -> Tensor:
        """Pictures [B, 3, 32, 32] of a received latent z_hat = z + noise: [B, k].

        noise: [B, 1] or [B, k], noise power of each dimension
        """
        k = z_hat.shape[1]
        reliability = 1 / (1 + noise)
        latent = F.pad(z_hat * reliability, (0, LATENT - k))
        return self.synthesize(latent, reliability.mean(1, keepdim=True), k).float()


def reliability_of(snr_db: Tensor) -> Tensor:
    """Reliability SNR / (1 + SNR) of average SNRs in dB, of any shape."""
    return torch.sigmoid(snr_db * (math.log(10) / 10))
