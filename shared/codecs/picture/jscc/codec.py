"""Codecs of pictures that are a trained network. Its latent is the longest code; the prefixes are the shorter ones.

    pictures --analyze--> latent [512] --first k, unit power--> z [k] --channel, zero forcing--> z_hat [k]
    z_hat --Wiener filter, zero padding--> latent [512] --synthesize--> pictures

The networks take the channel's quality as its reliability r = SNR / (1 + SNR), the Wiener gain of a symbol of unit
power: 0.17 at -7 dB, 0.91 at 10 dB. Unlike decibels it is bounded in a deep fade.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import ClassVar, Final, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from shared.codecs.base.contract import DesignSnr, known_noise, to_latent, to_symbols
from shared.codecs.base.picture import DecodedPictures, PictureCodec, check_pixels
from shared.codecs.base.weight_files import fingerprint_of_weights, holding_weights, read_weights, weights_path
from shared.errors import InvalidSetting
from shared.phy.receive.equalizer import EqualizerName
from shared.types import Complex, Floats, Pixels

LATENT: Final = 512
_ROOT_HALF = np.float32(np.sqrt(0.5))


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


class JsccCodec(PictureCodec):
    """One length of a trained network, which is built with the first picture."""

    network_class: ClassVar[type[JsccNetwork]]
    default_k: ClassVar[int] = 512
    equalizer: ClassVar[EqualizerName | None] = "zf"

    quick: ClassVar[bool] = False  # networks take a while to build

    def __init__(self, network: JsccNetwork | Callable[[], JsccNetwork], k: int, device: str, digits: str = "") -> None:
        """network: or what builds it, float32 and on `device`; `digits` is the fingerprint of its parameters then."""
        if k not in self.lengths:
            raise InvalidSetting(f"codec {self.name} has no length k = {k}; it has {', '.join(map(str, self.lengths))}")
        self.k = k
        self.device = device
        if isinstance(network, JsccNetwork):
            self.fingerprint = self._fingerprint(network.float().state_dict(), k)
            self.network = network.to(device).eval().requires_grad_(False)
        else:
            self.fingerprint, self._build = digits, network

    @classmethod
    def load(cls, k: int, device: str) -> Self:
        """The network that `semlink train NAME` wrote."""
        return cls.from_file(weights_path(cls.name, "model.safetensors"), k, device)

    @classmethod
    def from_file(cls, path: Path, k: int, device: str) -> Self:
        """The network of a safetensors file; all lengths share it. Its first use raises DataLoss if it is another's."""
        tensors, _ = read_weights(path, cls.name)
        build = partial(_network, cls.network_class, cls.name, path, path.stat().st_mtime_ns, device)
        return cls(build, k, device, cls._fingerprint(tensors, k))

    @cached_property
    def network(self) -> JsccNetwork:
        """The network, in evaluation mode."""
        return self._build()

    @classmethod
    def _fingerprint(cls, tensors: Mapping[str, Tensor], k: int) -> str:
        return fingerprint_of_weights(tensors, cls.name, str(k))

    @torch.inference_mode()
    def encode(self, pixels: Pixels, snr_db: DesignSnr | None = None) -> Complex:
        """See `PictureCodec.encode`. Raises InvalidPicture for any other size."""
        check_pixels(self.name, pixels)
        design = torch.from_numpy(self.design_snr_db(snr_db, len(pixels)))
        reliability = reliability_of(design).unsqueeze(1)
        z = self.network.encode(to_unit_range(pixels).to(self.device), reliability.to(self.device), self.k)
        return to_symbols(z.cpu().numpy() * _ROOT_HALF)

    @torch.inference_mode()
    def decode(self, x_hat: Complex, n0_eff: Floats) -> DecodedPictures:
        """See `PictureCodec.decode`. Any latent decodes to a picture, so none is missing."""
        z_hat = torch.from_numpy(to_latent(x_hat) / _ROOT_HALF)
        noise = torch.from_numpy(np.repeat(known_noise(x_hat, n0_eff), 2, axis=1))
        pixels = to_pixels(self.network.decode(z_hat.to(self.device), noise.to(self.device)))
        return DecodedPictures(pixels, [""] * len(pixels))


@lru_cache(maxsize=2)
def _network(kind: type[JsccNetwork], codec: str, path: Path, _modified_ns: int, device: str) -> JsccNetwork:
    tensors, _ = read_weights(path, codec)
    network = kind()
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
