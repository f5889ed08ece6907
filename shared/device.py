"""The device of models, and the hardware of this process. Torch is asked where it is installed."""

import os
import platform
import sys
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from shared.errors import InvalidSetting

if TYPE_CHECKING:
    import torch

DEVICES = ("auto", "cpu", "cuda")
NO_TORCH: Final = "torch is not installed here: pip install 'semlink[services]'"
_GPU_FILES: Final = ("nvidia*", "nvhost*", "nvgpu*", "dxg", "kfd")
"""Of NVIDIA's drivers, of its boards, of Windows' subsystem for Linux, and of AMD's driver."""
_CPU_INFO: Final = Path("/proc/cpuinfo")
_BFLOAT16: Final = frozenset(("amx_bf16", "avx512_bf16", "bf16"))
_of_thread = threading.local()


def has_torch() -> bool:
    """Whether torch is installed; a light installation does without."""
    return sys.modules.get("torch") is not None or find_spec("torch") is not None


def resolve_device(device: str) -> "torch.device":
    """The device named by `auto` (a GPU if there is one), `cpu` or `cuda`."""
    import torch  # noqa: PLC0415 - a light installation has none

    return torch.device(device_type(device))


def device_type(device: str) -> str:
    """`cpu` or `cuda`, for a device named as for `resolve_device`; `auto` is the processor where torch is not there."""
    if device not in DEVICES:
        raise InvalidSetting(f"Device {device!r} is unknown; choose one of {', '.join(DEVICES)}.")
    if device == "cpu" or (device == "auto" and not (has_torch() and _may_have_gpu())):
        return "cpu"  # and torch, which takes seconds to load, is not asked
    if not has_torch():
        raise InvalidSetting(f"Device 'cuda' was asked for, but {NO_TORCH}; choose 'auto' or 'cpu'.")
    import torch  # noqa: PLC0415

    gpu = torch.cuda.is_available()
    if device == "cuda" and not gpu:
        raise InvalidSetting("Device 'cuda' was asked for, but torch sees no GPU here; choose 'auto' or 'cpu'.")
    return "cuda" if gpu else "cpu"


def _may_have_gpu() -> bool:
    """Whether there is a device file of a GPU that torch could use; on other systems than Linux only torch knows."""
    if sys.platform != "linux":
        return True
    return any(list(Path("/dev").glob(name)) for name in _GPU_FILES)


def processor() -> dict[str, str]:
    """What Linux tells of the first processor core, such as `model name` and `flags`; nothing on other systems."""
    text = _CPU_INFO.read_text(encoding="utf-8", errors="replace") if _CPU_INFO.exists() else ""
    lines = (line.partition(":") for line in text.partition("\n\n")[0].splitlines())
    return {name.strip(): value.strip() for name, _, value in lines}


def multiplies_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 itself, or that cannot be told; the others emulate it, slowly."""
    told = processor()
    features = told.get("flags", told.get("Features", ""))  # of x86, of ARM
    return not features or not _BFLOAT16.isdisjoint(features.split())


def use_threads(count: int | None) -> None:
    """Set the number of processor threads that torch uses for calls of this thread; None keeps the default.

    OpenMP keeps the number per calling thread, so call this in the thread that computes; where torch is loaded later,
    call it again.
    """
    if count is None:
        return
    _of_thread.count = count
    if (loaded := _loaded_torch()) is not None:
        loaded.set_num_threads(count)


def thread_count() -> int:
    """Processor threads that a model may take: what `use_threads` set, torch's number, or one for each core."""
    if (count := getattr(_of_thread, "count", None)) is not None:
        return int(count)
    loaded = _loaded_torch()
    return int(loaded.get_num_threads()) if loaded is not None else len(os.sched_getaffinity(0))


def _loaded_torch() -> Any:
    """Torch where it is loaded; None also while another thread is importing it, and half of it is missing."""
    loaded = sys.modules.get("torch")
    return None if getattr(getattr(loaded, "__spec__", None), "_initializing", False) else loaded


def hardware() -> str:
    """Name of the GPU, or number and kind of the processor cores."""
    import torch  # noqa: PLC0415

    if torch.cuda.is_available():
        return f"one {torch.cuda.get_device_name()}"
    features = torch.backends.cpu.get_cpu_capability()
    return f"{os.cpu_count()} processor cores ({platform.machine()}, {features}), no GPU"
