"""Writes what a training gives: weights as safetensors, which hold nothing that runs, and the model card."""

from collections.abc import Mapping
from typing import Any

import torch
from lightning.pytorch.utilities import rank_zero_only
from safetensors.torch import save_file
from torch import Tensor, nn

from lab.report.cards import render
from lab.train.common.settings import OF_A_MACHINE, TrainSettings
from shared.device import hardware
from shared.files import make_directory, replacing, room_told
from shared.version import VERSION


@rank_zero_only
def export(tensors: Mapping[str, Tensor], settings: TrainSettings, file: str, **metadata: str) -> None:
    """Write `file` into `settings.out`: matrices in float16, vectors (norms, statistics) in float32.

    metadata: beside the command that makes such weights; by default the codec is that of the settings
    """
    path = settings.out / file
    make_directory(path.parent)
    metadata = {"codec": settings.name, "command": command_of(settings)} | metadata
    halved = {
        name: (tensor.half() if tensor.dtype == torch.float32 and tensor.ndim > 1 else tensor).contiguous().cpu()
        for name, tensor in tensors.items()
    }
    with replacing(path) as draft:
        with room_told(path.parent):
            save_file(halved, draft, metadata=metadata)
        draft.chmod(0o644)  # safetensors makes it private


def command_of(settings: TrainSettings) -> str:
    """The command that makes such weights again, on any machine: flags that are not the defaults, in their order."""
    flags, usual = [f"semlink train {settings.name}"], type(settings)(name=settings.name, data=settings.data)
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        if field.description is None or name in OF_A_MACHINE or value == getattr(usual, name):
            continue
        dashed = name.replace("_", "-")
        plain = {True: f"--{dashed}", False: f"--no-{dashed}"}
        told = f"{value:g}" if isinstance(value, float) else value
        flags.append(plain[value] if isinstance(value, bool) else f"--{dashed} {told}")
    return " ".join(flags)


def count_parameters(network: nn.Module) -> int:
    """How many numbers a training may change."""
    return sum(parameter.numel() for parameter in network.parameters())


def percent(figures: Mapping[str, float]) -> dict[str, str]:
    """Shares of 1 in per cent, with one digit behind the point, for a table of a card."""
    return {name: f"{100 * value:.1f}" for name, value in figures.items()}


@rank_zero_only
def write_card(template: str, settings: TrainSettings, seconds: float, **values: Any) -> None:
    """Write `README.md` beside the weights.

    template: a file under `lab/train`; it has `settings`, `command`, `minutes`, `hardware` and `version` beside the
    values
    seconds: that the training took in all
    """
    made = {"command": command_of(settings), "minutes": seconds / 60, "hardware": hardware(), "version": VERSION}
    make_directory(settings.out)
    (settings.out / "README.md").write_text(
        render(f"train/{template}", settings=settings, **made, **values), encoding="utf-8"
    )
