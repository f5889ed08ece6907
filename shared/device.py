"""The device of tensors, and the hardware of this process."""

import os
import platform

import torch

from shared.errors import InvalidSetting

DEVICES = ("auto", "cpu", "cuda")


def resolve_device(device: str) -> torch.device:
    """The device named by `auto` (a GPU if there is one), `cpu` or `cuda`."""
    gpu = torch.cuda.is_available()
    if device not in DEVICES:
        raise InvalidSetting(f"Device {device!r} is unknown; choose one of {', '.join(DEVICES)}.")
    if device == "cuda" and not gpu:
        raise InvalidSetting("Device 'cuda' was asked for, but torch sees no GPU here; choose 'auto' or 'cpu'.")
    return torch.device("cuda" if gpu and device != "cpu" else "cpu")


def use_threads(count: int | None) -> None:
    """Set the number of processor threads that torch uses for calls of this thread; None keeps the default.

    OpenMP keeps the number per calling thread, so call this in the thread that computes.
    """
    if count is not None:
        torch.set_num_threads(count)


def hardware() -> str:
    """Name of the GPU, or number and kind of the processor cores."""
    if torch.cuda.is_available():
        return f"one {torch.cuda.get_device_name()}"
    features = torch.backends.cpu.get_cpu_capability()
    return f"{os.cpu_count()} processor cores ({platform.machine()}, {features}), no GPU"
