"""Codecs of pictures that are a trained network. Its latent is the longest code; the prefixes are the shorter ones.

    pictures --analyze--> latent [512] --first k, unit power--> z [k] --channel, zero forcing--> z_hat [k]
    z_hat --Wiener filter, zero padding--> latent [512] --synthesize--> pictures

The networks take the channel's quality as its reliability r = SNR / (1 + SNR), the Wiener gain of a symbol of unit
power: 0.17 at -7 dB, 0.91 at 10 dB. Unlike decibels it is bounded in a deep fade.
"""

from collections.abc import Callable, Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from shared.codecs.base.contract import DesignSnr, known_noise, to_latent, to_symbols
from shared.codecs.base.picture import DecodedPictures, PictureCodec, check_pixels
from shared.codecs.base.weight_files import fingerprint_of_weights, read_arrays, weights_path
from shared.device import NO_TORCH, has_torch
from shared.errors import InvalidSetting, NotFound
from shared.phy.receive.equalizer import EqualizerName
from shared.types import Complex, Floats, Pixels

if TYPE_CHECKING:
    from torch import Tensor

    from shared.codecs.picture.jscc.network import JsccNetwork

_ROOT_HALF = np.float32(np.sqrt(0.5))


class JsccCodec(PictureCodec):
    """One length of a trained network, which is built with the first picture."""

    network_place: ClassVar[str]  # MODULE:CLASS of its `JsccNetwork`, which loads torch
    default_k: ClassVar[int] = 512
    equalizer: ClassVar[EqualizerName | None] = "zf"

    quick: ClassVar[bool] = False  # networks take a while to build

    def __init__(self, build: "Callable[[], JsccNetwork]", k: int, device: str, fingerprint: str) -> None:
        """build: gives the network, float32, in evaluation mode and on `device`."""
        if k not in self.lengths:
            raise InvalidSetting(f"codec {self.name} has no length k = {k}; it has {', '.join(map(str, self.lengths))}")
        self.k, self.device, self.fingerprint = k, device, fingerprint
        self._build = build

    @classmethod
    def load(cls, k: int, device: str) -> Self:
        """The network that `semlink train NAME` wrote. Raises NotFound without torch, which it runs in."""
        if not has_torch():
            raise NotFound(f"codec {cls.name} is a network that runs in torch, and {NO_TORCH}")
        return cls.from_file(weights_path(cls.name, "model.safetensors"), k, device)

    @classmethod
    def of_network(cls, network: "JsccNetwork", k: int, device: str) -> Self:
        """A network in memory."""
        fingerprint = cls._fingerprint(network.float().state_dict(), k)
        return cls(lambda: network.to(device).eval().requires_grad_(False), k, device, fingerprint)

    @classmethod
    def from_file(cls, path: Path, k: int, device: str) -> Self:
        """The network of a safetensors file; all lengths share it. Its first use raises DataLoss if it is another's."""
        arrays, _ = read_arrays(path, cls.name)
        modified_ns = path.stat().st_mtime_ns
        return cls(partial(_read, cls, path, modified_ns, device), k, device, cls._fingerprint(arrays, k))

    @cached_property
    def network(self) -> "JsccNetwork":
        """The network, in evaluation mode; built with the first picture."""
        return self._build()

    @classmethod
    def _fingerprint(cls, arrays: "Mapping[str, Floats] | Mapping[str, Tensor]", k: int) -> str:
        return fingerprint_of_weights(arrays, cls.name, str(k))

    def encode(self, pixels: Pixels, snr_db: DesignSnr | None = None) -> Complex:
        """See `PictureCodec.encode`. Raises InvalidPicture for any other size."""
        check_pixels(self.name, pixels)
        design = self.design_snr_db(snr_db, len(pixels))
        return to_symbols(self.network.encode_pixels(pixels, design, self.k, self.device) * _ROOT_HALF)

    def decode(self, x_hat: Complex, n0_eff: Floats) -> DecodedPictures:
        """See `PictureCodec.decode`. Any latent decodes to a picture, so none is missing."""
        noise = np.repeat(known_noise(x_hat, n0_eff), 2, axis=1)
        pixels = self.network.decode_pixels(to_latent(x_hat) / _ROOT_HALF, noise, self.device)
        return DecodedPictures(pixels, [""] * len(pixels))


class DeepJscc(JsccCodec):
    """The trained network of `deepjscc` at one length, a multiple of the 64 values of a map."""

    name: ClassVar[str] = "deepjscc"
    lengths: ClassVar[tuple[int, ...]] = (64, 128, 256, 512)
    network_place: ClassVar[str] = "shared.codecs.picture.jscc.deepjscc:DeepJsccNetwork"


class SwinJscc(JsccCodec):
    """The trained network of `swinjscc` at one length, a multiple of the 16 values of a map."""

    name: ClassVar[str] = "swinjscc"
    lengths: ClassVar[tuple[int, ...]] = (16, 32, 64, 128, 256, 512)
    network_place: ClassVar[str] = "shared.codecs.picture.jscc.swinjscc:SwinJsccNetwork"


def _read(kind: type[JsccCodec], path: Path, modified_ns: int, device: str) -> "JsccNetwork":
    from shared.codecs.picture.jscc.network import read_network  # noqa: PLC0415 - loads torch

    return read_network(kind.network_place, kind.name, path, modified_ns, device)
