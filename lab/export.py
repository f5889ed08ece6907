"""Writes what training gives, as safetensors: weights alone, nothing that runs."""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn


def export_clip(model: nn.Module, out: Path, epoch: int) -> None:
    """Write `model.safetensors`: matrices in float16, vectors (norms, statistics) in float32."""
    tensors = {name: _halved(tensor) for name, tensor in model.state_dict().items()}
    _write(tensors, out / "model.safetensors", {"model": "clip-tiny", "epoch": str(epoch)})


def export_codec(codec: str, k: int, network: nn.Module, out: Path, clip_fingerprint: str) -> None:
    """Write `k<k>.safetensors` in float32, with the CLIP that the codec belongs to."""
    metadata = {
        "codec": codec,
        "k": str(k),
        "clip_fingerprint": clip_fingerprint,
        "command": f"semlink train {codec}",
    }
    _write(dict(network.state_dict()), out / f"k{k}.safetensors", metadata)


def _halved(tensor: Tensor) -> Tensor:
    return tensor.half() if tensor.dtype == torch.float32 and tensor.ndim > 1 else tensor


def _write(tensors: dict[str, Tensor], path: Path, metadata: dict[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".tmp")
    save_file({name: tensor.contiguous().cpu() for name, tensor in tensors.items()}, draft, metadata=metadata)
    draft.chmod(0o644)  # safetensors makes it private
    draft.replace(path)
