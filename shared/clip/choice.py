"""The choice of an engine and a precision for the image tower: as asked, or the fastest of those that run here."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

import structlog
import torch

from shared.clip.engine import Engine, ImageTower, TorchEngine
from shared.clip.openvino_engine import OpenVinoEngine, unavailable
from shared.errors import InvalidSetting
from shared.types import Pixels

log = structlog.get_logger()

ENGINES: Final = ("auto", "torch", "openvino")
PRECISIONS: Final = ("auto", "float32", "bfloat16")

_WORTH = 1.1  # bfloat16 must be this much faster to be taken
_HOPELESS = 2.0  # times the best one's time; such an engine is not measured again
_ROUNDS = 5


def choose_engine(tower: ImageTower, example: Pixels, engine: str, precision: str, ir_file: Path) -> Engine:
    """The engine asked for, or the fastest of several on `example`.

    tower: on its device. example: [B, S, S, 3]. engine, precision: by name, or `auto`. ir_file: where the tower is kept
    in OpenVINO's format. Raises InvalidSetting for an unknown name, and for OpenVINO where it cannot run.
    """
    for name, known in ((engine, ENGINES), (precision, PRECISIONS)):
        if name not in known:
            raise InvalidSetting(f"{name!r} is unknown; choose one of {', '.join(known)}")
    engines = []
    for make in _makers(tower, engine, precision, ir_file):
        try:
            engines.append(make())
        except InvalidSetting as error:
            if engine != "auto":
                raise
            log.warning("an engine of CLIP is left out", reason=str(error))
    return engines[0] if len(engines) == 1 else _fastest(engines, example)


def _makers(tower: ImageTower, engine: str, precision: str, ir_file: Path) -> Iterator[Callable[[], Engine]]:
    gpu = tower.scale.is_cuda
    precisions = PRECISIONS[1:] if precision == "auto" else (precision,)
    if gpu and precision == "auto" and not torch.cuda.is_bf16_supported(including_emulation=False):
        precisions = ("float32",)
    if engine != "openvino":
        for name in precisions:
            yield lambda name=name: TorchEngine(tower if name == "float32" else tower.in_bfloat16())  # type: ignore[misc]
    reason = "it runs on processors, and the device is a GPU" if gpu else unavailable()
    if engine == "openvino" and reason:
        raise InvalidSetting(f"engine openvino cannot be used: {reason}; choose torch or auto")
    if engine != "torch" and not reason:
        yield from (partial(OpenVinoEngine, tower, name, ir_file) for name in precisions)


def _fastest(engines: list[Engine], example: Pixels) -> Engine:
    """Time all by turns, so that a busy moment of the machine falls on all; the first round warms up."""
    for engine in engines:
        engine(example)
    times = dict.fromkeys(engines, float("inf"))
    for _ in range(_ROUNDS):
        best = min(times.values())
        for engine in [one for one in engines if times[one] <= _HOPELESS * best]:
            times[engine] = min(times[engine], _seconds(engine, example))
    return min(engines, key=lambda one: times[one] * (_WORTH if one.precision == "bfloat16" else 1))


def _seconds(engine: Engine, example: Pixels) -> float:
    started = time.perf_counter()
    engine(example)
    return time.perf_counter() - started
