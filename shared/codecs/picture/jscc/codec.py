"""Codecs of pictures whose two halves are a trained network."""

from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from shared.codecs.base.contract import DesignSnr, to_latent, to_symbols
from shared.codecs.base.picture import DecodedPictures, PictureCodec, check_pixels
from shared.codecs.base.weight_files import fingerprint_of_weights, read_weights, weights_path
from shared.codecs.picture.jscc.network import JsccNetwork, reliability_of
from shared.errors import DataLoss, InvalidSetting
from shared.phy.receive.equalizer import EqualizerName
from shared.types import Complex, Floats, Pixels

_ROOT_HALF = np.float32(np.sqrt(0.5))


class JsccCodec(PictureCodec):
    """One length of a trained network."""

    network_class: ClassVar[type[JsccNetwork]]
    default_k: ClassVar[int] = 512
    equalizer: ClassVar[EqualizerName | None] = "zf"

    def __init__(self, network: JsccNetwork, k: int, device: str) -> None:
        if k not in self.lengths:
            raise InvalidSetting(f"codec {self.name} has no length k = {k}; it has {', '.join(map(str, self.lengths))}")
        self.k = k
        self.device = device
        arrays = {name: tensor.detach().float().cpu().numpy() for name, tensor in network.state_dict().items()}
        self.fingerprint = fingerprint_of_weights(arrays, self.name, str(k))
        self.network = network.to(device).eval().requires_grad_(False)

    @classmethod
    def load(cls, k: int, device: str) -> Self:
        """The network that `semlink train NAME` left."""
        return cls.from_file(weights_path(cls.name, "model.safetensors"), k, device)

    @classmethod
    def from_file(cls, path: Path, k: int, device: str) -> Self:
        """The network of a safetensors file. Raises DataLoss where it holds another."""
        tensors, _ = read_weights(path, cls.name)
        network = cls.network_class()
        try:
            network.load_state_dict(tensors)
        except RuntimeError as error:
            raise DataLoss(f"{path} holds no weights of codec {cls.name}: {error}") from error
        return cls(network, k, device)

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
        """See `PictureCodec.decode`. Whatever arrives is a picture, so none is missing."""
        z_hat = torch.from_numpy(to_latent(x_hat) / _ROOT_HALF)
        noise = torch.from_numpy(noise_of_dimensions(x_hat, n0_eff))
        pixels = to_pixels(self.network.decode(z_hat.to(self.device), noise.to(self.device)))
        return DecodedPictures(pixels, [""] * len(pixels))


def noise_of_dimensions(x_hat: Complex, n0_eff: Floats) -> Floats:
    """Noise power of each dimension of a latent of unit power, after zero forcing: [B, k], float32.

    Where n0_eff is NaN it is measured: symbols have power 1 + N0.
    """
    measured = np.maximum(np.mean(np.abs(x_hat) ** 2, axis=1, keepdims=True) - 1, 0)
    return np.repeat(np.where(np.isnan(n0_eff), measured, n0_eff), 2, axis=1).astype(np.float32)


def to_unit_range(pixels: Pixels) -> Tensor:
    """Pictures [B, H, W, 3], uint8, as a network takes them: [B, 3, H, W], float32, 0 .. 1."""
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2).float() / 255


def to_pixels(pictures: Tensor) -> Pixels:
    """The reverse of `to_unit_range`, rounded."""
    rounded: Pixels = (pictures.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    return rounded
