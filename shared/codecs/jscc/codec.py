"""What a codec of pictures is, and those whose two halves are a trained network.

pixels [B, 32, 32, 3] --encode--> x [B, k/2] --channel, equalizer--> x_hat [B, k/2] --decode--> pixels [B, 32, 32, 3]
"""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar, Final, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from shared.channel.equalizer import EqualizerName
from shared.codecs.base import OperatingPoint, to_latent, to_symbols
from shared.codecs.jscc.network import SIDE, JsccNetwork, reliability_of
from shared.codecs.weights import fingerprint_of_weights, read_weights
from shared.codecs.weights_dir import weights_path
from shared.errors import DataLoss, InvalidPicture, InvalidSetting
from shared.symbols import Complex

Pixels = npt.NDArray[np.uint8]

DEFAULT_SNR_DB: Final = 5.0
"""Operating point of a sender that is told none."""

_ROOT_HALF = np.float32(np.sqrt(0.5))


class PictureCodec(ABC):
    """Pictures to symbols of unit power per burst, and back. Attributes as those of `shared.codecs.Codec`.

    It belongs to no CLIP model: whoever receives the pictures embeds them.
    """

    name: ClassVar[str]
    lengths: ClassVar[tuple[int, ...]]
    default_k: ClassVar[int]
    k: int
    fingerprint: str
    equalizer: ClassVar[EqualizerName | None] = None

    @classmethod
    @abstractmethod
    def load(cls, k: int, device: str) -> Self:
        """The codec of length k, one of `lengths`, with its shipped parameters; device: cpu or cuda.

        Raises NotFound when the parameters are missing, InvalidSetting for a length that it does not have.
        """

    @abstractmethod
    def encode(self, pixels: Pixels, snr_db: OperatingPoint | None = None) -> Complex:
        """Symbols [B, k/2], complex64, unit mean power per row, of pictures [B, 32, 32, 3], uint8, RGB.

        snr_db: [B], float32, dB, the operating point; NaN or None for the codec's own default.
        """

    @abstractmethod
    def decode(self, x_hat: Complex, n0_eff: npt.NDArray[np.float32]) -> Pixels:
        """Pictures [B, 32, 32, 3], uint8, RGB, of equalized symbols.

        x_hat: [B, k/2], complex64. n0_eff: [B, k/2], float32, noise power of each; NaN where it is not known.
        """


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
    def encode(self, pixels: Pixels, snr_db: OperatingPoint | None = None) -> Complex:
        """See `PictureCodec.encode`. Raises InvalidPicture for any other size."""
        if pixels.shape[1:] != (SIDE, SIDE, 3) or pixels.dtype != np.uint8:
            raise InvalidPicture(
                f"codec {self.name} takes pictures [B, {SIDE}, {SIDE}, 3] of uint8, not {list(pixels.shape)} of "
                f"{pixels.dtype}: resize them"
            )
        told = np.full(len(pixels), np.nan, np.float32) if snr_db is None else snr_db
        told = np.where(np.isnan(told), np.float32(DEFAULT_SNR_DB), told)
        reliability = reliability_of(torch.from_numpy(told)).unsqueeze(1)
        z = self.network.encode(to_unit_range(pixels).to(self.device), reliability.to(self.device), self.k)
        return to_symbols(z.cpu().numpy() * _ROOT_HALF)

    @torch.inference_mode()
    def decode(self, x_hat: Complex, n0_eff: npt.NDArray[np.float32]) -> Pixels:
        """See `PictureCodec.decode`."""
        z_hat = torch.from_numpy(to_latent(x_hat) / _ROOT_HALF)
        noise = torch.from_numpy(noise_of_dimensions(x_hat, n0_eff))
        return to_pixels(self.network.decode(z_hat.to(self.device), noise.to(self.device)))


def noise_of_dimensions(x_hat: Complex, n0_eff: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
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
