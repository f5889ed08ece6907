"""Writes what training gives: half-precision weights as safetensors."""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn


def export_clip(model: nn.Module, out: Path, settings: dict[str, Any], curves: list[dict[str, float]]) -> None:
    """Write `model.safetensors`: matrices in float16, vectors (norms, statistics) in float32."""
    tensors = {
        name: (tensor.half() if tensor.is_floating_point() and tensor.ndim > 1 else tensor).contiguous().cpu()
        for name, tensor in model.state_dict().items()
    }
    out.mkdir(parents=True, exist_ok=True)
    draft = out / "model.safetensors.tmp"
    save_file(tensors, draft, metadata={"model": "clip-tiny", "epoch": str(len(curves))})
    draft.replace(out / "model.safetensors")
