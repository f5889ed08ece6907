"""Where tensors live: one way to say it for every service and lab command."""

import os
import platform

import torch

from shared.errors import InvalidSetting

DEVICES = ("auto", "cpu", "cuda")


def resolve_device(device: str) -> torch.device:
    """The device meant by `auto` (a GPU where there is one), `cpu` or `cuda`."""
    if device not in DEVICES:
        raise InvalidSetting(f"Device {device!r} is unknown; choose one of {', '.join(DEVICES)}.")
    if device == "cuda" and not torch.cuda.is_available():
        raise InvalidSetting("Device 'cuda' was asked for, but torch sees no GPU here; choose 'auto' or 'cpu'.")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(device)


def use_threads(count: int | None) -> None:
    """Let torch use so many processor threads for what the calling thread asks of it; None leaves its default.

    OpenMP keeps this number for each thread that calls, so it is set in the thread that computes.
    """
    if count is not None:
        torch.set_num_threads(count)


def hardware() -> str:
    """What this process computes on."""
    if torch.cuda.is_available():
        return f"one {torch.cuda.get_device_name()}"
    features = torch.backends.cpu.get_cpu_capability()
    return f"{os.cpu_count()} processor cores ({platform.machine()}, {features}), no GPU"
