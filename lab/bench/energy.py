"""Time and energy of a part of a run, where the machine has counters of energy.

Processor packages count by RAPL, which Linux shows in `/sys/class/powercap`, often to root alone; an NVIDIA GPU counts
by NVML. Both count all that runs on them. What has no counter is not guessed.
"""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pynvml
import torch

POWERCAP: Final = Path("/sys/class/powercap")


@dataclass
class Spent:
    """Seconds on the clock, and joules by the name of each counter."""

    seconds: float = math.nan
    joules: dict[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        energy = ", ".join(f"{value:.3g} J ({name})" for name, value in self.joules.items())
        return f"{self.seconds:.3g} s, {energy or 'energy not measured: no counter of RAPL or NVML can be read here'}"

    @property
    def row(self) -> dict[str, float]:
        """As columns of a table; joules is the sum of all counters, NaN without any."""
        return {"seconds": self.seconds, "joules": sum(self.joules.values()) if self.joules else math.nan}


@contextmanager
def spent_on(device: torch.device, powercap: Path = POWERCAP) -> Iterator[Spent]:
    """Measure what the body takes, on the processor and, with device cuda, on that GPU."""
    spent, before, started = Spent(), _read(device, powercap), time.monotonic()
    yield spent
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    spent.seconds = time.monotonic() - started
    after = _read(device, powercap)
    spent.joules = {name: (after[name] - before[name]) % _range(name, powercap) for name in before if name in after}


def _read(device: torch.device, powercap: Path) -> dict[str, float]:
    """Joules since some moment, by the name of each counter."""
    return _packages(powercap) | (_gpu(device) if device.type == "cuda" else {})


def _packages(powercap: Path) -> dict[str, float]:
    found = {}
    for zone in sorted(powercap.glob("intel-rapl:?")):  # AMD's processors go by this name too
        try:
            found[zone.name] = int((zone / "energy_uj").read_text(encoding="utf-8")) / 1e6
        except (OSError, ValueError):  # there, but not for us
            continue
    return found


def _range(name: str, powercap: Path) -> float:
    """Joules at which a counter starts again; NVML's never does."""
    path = powercap / name / "max_energy_range_uj"
    return int(path.read_text(encoding="utf-8")) / 1e6 if path.is_file() else math.inf


def _gpu(device: torch.device) -> dict[str, float]:
    try:
        pynvml.nvmlInit()
        uuid = f"GPU-{torch.cuda.get_device_properties(device).uuid}"
        joules = pynvml.nvmlDeviceGetTotalEnergyConsumption(pynvml.nvmlDeviceGetHandleByUUID(uuid)) / 1e3
    except pynvml.NVMLError:  # no driver, or a GPU older than Volta
        return {}
    return {torch.cuda.get_device_name(device): joules}
