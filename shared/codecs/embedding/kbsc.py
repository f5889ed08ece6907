"""`kbsc`: the network of "Knowledge-Base based Semantic Image Transmission Using CLIP" (arXiv 2504.01053).

    e [512] -> Linear 384 -> ReLU -> Linear k -> BatchNorm -> unit power per burst -> x [k/2]
    x_hat [k/2] -> Linear 384 -> ReLU -> Linear 512 -> BatchNorm -> e_hat [512]

It knows nothing of the SNR. Unlike its authors' code, power is normalized per burst instead of per batch, I and Q of a
symbol come from the same image, and the receiver is not told the transmit scale.
"""

import copy
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import fuse_linear_bn_eval

from shared.codecs.base.contract import Codec, Decoded, DesignSnr
from shared.codecs.base.weight_files import fingerprint_of_weights, holding_weights, read_weights, weights_path
from shared.types import Complex, Embeddings, Floats

DIM, HIDDEN = 512, 384


class KbscNetwork(nn.Module):
    """Both halves of the codec. k: real latent dimensions, even."""

    def __init__(self, k: int) -> None:
        super().__init__()
        self.k = k
        self.encoder = nn.Sequential(nn.Linear(DIM, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, k), nn.BatchNorm1d(k))
        self.decoder = nn.Sequential(nn.Linear(k, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, DIM), nn.BatchNorm1d(DIM))

    def fuse(self) -> Self:
        """Merge each BatchNorm into the Linear before it: the same function in fewer steps. Only after training."""
        self.encoder, self.decoder = _fused(self.encoder), _fused(self.decoder)
        return self

    def encode(self, embeddings: Tensor) -> Tensor:
        """Symbols [B, k/2], complex64, of unit mean power per row, of embeddings [B, 512], float32."""
        x = torch.view_as_complex(self.encoder(embeddings).unflatten(-1, (-1, 2)).contiguous())
        return x / x.abs().square().mean(-1, keepdim=True).sqrt()

    def decode(self, x_hat: Tensor) -> Tensor:
        """Embeddings [B, 512], float32, of received symbols [B, k/2], complex64."""
        decoded: Tensor = self.decoder(torch.view_as_real(x_hat).flatten(-2))
        return decoded


class Kbsc(Codec):
    """The trained network of one length."""

    name: ClassVar[str] = "kbsc"
    lengths: ClassVar[tuple[int, ...]] = (16, 64, 256)
    default_k: ClassVar[int] = 64

    def __init__(self, network: KbscNetwork, clip_fingerprint: str | None, device: str) -> None:
        self.k = network.k
        self.clip_fingerprint = clip_fingerprint
        self.device = device
        self.fingerprint = fingerprint_of_weights(network.state_dict())
        self.params = sum(parameter.numel() for parameter in network.parameters())  # as published
        self.network = copy.deepcopy(network).to(device).eval().fuse()

    @classmethod
    def load(cls, k: int, device: str) -> Self:
        """The network that `semlink train kbsc` left."""
        return cls.from_file(weights_path(cls.name, f"k{k}.safetensors"), device)

    @classmethod
    def from_file(cls, path: Path, device: str) -> Self:
        """A network from a safetensors file whose metadata holds `k` and `clip_fingerprint`."""
        state, metadata = read_weights(path, cls.name)
        with holding_weights(path, cls.name):
            network = KbscNetwork(int(metadata["k"]))
            network.load_state_dict(state)
        return cls(network, metadata.get("clip_fingerprint"), device)

    @torch.inference_mode()
    def encode(self, embeddings: Embeddings, snr_db: DesignSnr | None = None) -> Complex:  # noqa: ARG002
        """Symbols [B, k/2] of unit-length `embeddings`: [B, 512]."""
        x: Complex = self.network.encode(torch.from_numpy(embeddings).to(self.device)).cpu().numpy()
        return x

    @torch.inference_mode()
    def decode(self, x_hat: Complex, n0_eff: Floats) -> Decoded:  # noqa: ARG002 - SNR-blind
        """Embeddings of equalized symbols; the noise power is not used."""
        decoded = self.network.decode(torch.from_numpy(np.ascontiguousarray(x_hat)).to(self.device))
        return Decoded(decoded.float().cpu().numpy())


def _fused(half: nn.Sequential) -> nn.Sequential:
    layers: list[Any] = list(half)
    return nn.Sequential(*layers[:-2], fuse_linear_bn_eval(layers[-2], layers[-1]))
