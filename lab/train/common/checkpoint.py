"""Checkpoints that a crash cannot tear: written beside their name, then renamed onto it."""

import os
from pathlib import Path
from typing import Any

import torch


def save_checkpoint(state: dict[str, Any], path: Path) -> None:
    """Write the state so that the path holds the old or the new one, never a mixture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".tmp")
    with draft.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def load_checkpoint(path: Path) -> dict[str, Any] | None:
    """The state, or None where there is none yet. Tensors and plain values only: no code is unpickled."""
    if not path.exists():
        return None
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state
