"""Writes what training gives, as safetensors: weights alone, nothing that runs."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from shared.files import replacing


def export_clip(model: nn.Module, out: Path, epoch: int) -> None:
    """Write `model.safetensors`: matrices in float16, vectors (norms, statistics) in float32."""
    _write(_halved(model.state_dict()), out / "model.safetensors", {"model": "clip-tiny", "epoch": str(epoch)})


def export_codec(codec: str, k: int, network: nn.Module, out: Path, clip_fingerprint: str) -> None:
    """Write `k<k>.safetensors`, in the same formats, with the CLIP that the codec belongs to."""
    metadata = {
        "codec": codec,
        "k": str(k),
        "clip_fingerprint": clip_fingerprint,
        "command": f"semlink train {codec}",
    }
    _write(_halved(network.state_dict()), out / f"k{k}.safetensors", metadata)


def export_nested(model: nn.Module, out: Path, clip_fingerprint: str, clusters: int) -> None:
    """Write `model.safetensors`, in the same formats; clusters: how many were found, 0 for labels."""
    command = f"semlink train nested{f' --unlabelled --clusters {clusters}' if clusters else ''}"
    metadata = {"codec": "nested", "clip_fingerprint": clip_fingerprint, "command": command}
    _write(_halved(model.state_dict()), out / "model.safetensors", metadata)


def export_label(tables: Mapping[str, Tensor], out: Path, clip_fingerprint: str) -> None:
    """Write `tables.safetensors`, in the same formats."""
    metadata = {"codec": "label", "clip_fingerprint": clip_fingerprint, "command": "semlink train label"}
    _write(_halved(tables), out / "tables.safetensors", metadata)


def export_jscc(codec: str, network: nn.Module, out: Path) -> None:
    """Write `model.safetensors`, in the same formats; a codec of pictures belongs to no CLIP."""
    _write(
        _halved(network.state_dict()), out / "model.safetensors", {"codec": codec, "command": f"semlink train {codec}"}
    )


def _halved(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {
        name: tensor.half() if tensor.dtype == torch.float32 and tensor.ndim > 1 else tensor
        for name, tensor in tensors.items()
    }


def _write(tensors: dict[str, Tensor], path: Path, metadata: dict[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        save_file({name: tensor.contiguous().cpu() for name, tensor in tensors.items()}, temporary, metadata=metadata)
        temporary.chmod(0o644)  # safetensors makes it private
