"""Checkpoints, replaced atomically."""

from pathlib import Path
from typing import Any

import torch

from shared.files import replacing


def save_checkpoint(state: dict[str, Any], path: Path) -> None:
    """Write the state so that the path holds the old or the new one, never a mixture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary, temporary.open("wb") as file:
        torch.save(state, file)


def load_checkpoint(path: Path) -> dict[str, Any] | None:
    """The state, or None where there is none yet. Tensors and plain values only: no code is unpickled."""
    if not path.exists():
        return None
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state
