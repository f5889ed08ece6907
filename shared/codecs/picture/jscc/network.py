"""What the networks of pictures share, in torch: see `shared.codecs.picture.jscc.codec`."""

import math
from abc import ABC, abstractmethod
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import ClassVar, Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from shared.codecs.base.contract import DesignSnr
from shared.codecs.base.weight_files import holding_weights, read_weights
from shared.types import Floats, Pixels

LATENT: Final = 512


class JsccNetwork(nn.Module, ABC):
    """Encoder and decoder. lengths: supported k; each code is a prefix of the next."""

    lengths: ClassVar[tuple[int, ...]]

    @abstractmethod
    def analyze(self, pictures: Tensor, reliability: Tensor, k: int) -> Tensor:
        """Latent [B, 512] of pictures [B, 3, 32, 32] in 0 .. 1; reliability [B, 1]: at the design SNR."""

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

    @torch.inference_mode()
    def encode_pixels(self, pixels: Pixels, snr_db: DesignSnr, k: int, device: str) -> Floats:
        """Latent [B, k], unit mean power per row, of pictures [B, 32, 32, 3], uint8. snr_db: [B], design SNR, dB."""
        reliability = reliability_of(torch.from_numpy(snr_db)).unsqueeze(1)
        latent: Floats = self.encode(to_unit_range(pixels).to(device), reliability.to(device), k).cpu().numpy()
        return latent

    @torch.inference_mode()
    def decode_pixels(self, z_hat: Floats, noise: Floats, device: str) -> Pixels:
        """Pictures [B, 32, 32, 3], uint8, of a received latent; see `decode`."""
        return to_pixels(self.decode(torch.from_numpy(z_hat).to(device), torch.from_numpy(noise).to(device)))


def network_class(place: str) -> type[JsccNetwork]:
    """The class at MODULE:CLASS."""
    module, name = place.split(":")
    found: type[JsccNetwork] = getattr(import_module(module), name)
    return found


@lru_cache(maxsize=2)
def read_network(place: str, codec: str, path: Path, _modified_ns: int, device: str) -> JsccNetwork:
    """The network of a safetensors file, in evaluation mode. Raises DataLoss where the file is another's."""
    tensors, _ = read_weights(path, codec)
    network = network_class(place)()
    with holding_weights(path, codec):
        network.load_state_dict(tensors)
    return network.to(device).eval().requires_grad_(False)


def to_unit_range(pixels: Pixels) -> Tensor:
    """Pictures [B, H, W, 3], uint8, as a network takes them: [B, 3, H, W], float32, 0 .. 1."""
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2).float() / 255


def to_pixels(pictures: Tensor) -> Pixels:
    """The reverse of `to_unit_range`, rounded."""
    rounded: Pixels = (pictures.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    return rounded


def reliability_of(snr_db: Tensor) -> Tensor:
    """Reliability SNR / (1 + SNR) of average SNRs in dB, of any shape."""
    return torch.sigmoid(snr_db * (math.log(10) / 10))
