"""Untrained kbsc networks, and their weight files."""

from pathlib import Path

import torch
from safetensors.torch import save_file

from shared.codecs.embedding.kbsc import Kbsc
from shared.codecs.embedding.kbsc_torch import KbscNetwork


def network(k: int = 64, seed: int = 0) -> KbscNetwork:
    """An untrained network whose batch norms do something."""
    torch.manual_seed(seed)
    made = KbscNetwork(k)
    for module in made.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
    return made.eval()


def codec_of(made: KbscNetwork, clip: str | None = None) -> Kbsc:
    """The codec of a network."""
    return Kbsc({name: tensor.numpy() for name, tensor in made.state_dict().items()}, clip)


def saved(path: Path, made: KbscNetwork, clip: str = "c0ffee", **metadata: str) -> Path:
    """Write a network as the codec reads it."""
    save_file(made.state_dict(), path, {"k": str(made.k), "clip_fingerprint": clip, **metadata})
    return path
