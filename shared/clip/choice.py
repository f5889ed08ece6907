"""The choice of an engine and a precision for the image tower: as asked, or the fastest of those that run here."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

import structlog
import torch

from shared.clip.engine import ImageTower, TorchEngine
from shared.clip.fastest import fastest
from shared.clip.model import Engine
from shared.clip.openvino_engine import OpenVinoEngine, converted, unavailable
from shared.device import multiplies_bfloat16
from shared.errors import InvalidSetting
from shared.types import Pixels

log = structlog.get_logger()

ENGINES: Final = ("auto", "torch", "openvino")
PRECISIONS: Final = ("auto", "float32", "bfloat16")


def choose_engine(tower: ImageTower, example: Pixels, engine: str, precision: str, fingerprint: str) -> Engine:
    """The engine asked for, or the fastest of several on `example`.

    tower: on its device. example: [B, S, S, 3]. engine, precision: by name, or `auto`. fingerprint: of the CLIP, under
    which the tower is kept in OpenVINO's format. Raises InvalidSetting for an unknown name, and for OpenVINO where it
    cannot run.
    """
    for name, known in ((engine, ENGINES), (precision, PRECISIONS)):
        if name not in known:
            raise InvalidSetting(f"{name!r} is unknown; choose one of {', '.join(known)}")
    engines = []
    for make in _makers(tower, engine, precision, fingerprint):
        try:
            engines.append(make())
        except InvalidSetting as error:
            if engine != "auto":
                raise
            log.warning("an engine of CLIP is left out", reason=str(error))
    return fastest(engines, example)


def _makers(tower: ImageTower, engine: str, precision: str, fingerprint: str) -> Iterator[Callable[[], Engine]]:
    gpu = tower.scale.is_cuda
    precisions = PRECISIONS[1:] if precision == "auto" else (precision,)
    multiplies = torch.cuda.is_bf16_supported(including_emulation=False) if gpu else multiplies_bfloat16()
    if precision == "auto" and not multiplies:
        precisions = ("float32",)
    if engine != "openvino":
        for name in precisions:
            yield lambda name=name: TorchEngine(tower if name == "float32" else tower.in_bfloat16())  # type: ignore[misc]
    reason = "it runs on processors, and the device is a GPU" if gpu else unavailable()
    if engine == "openvino" and reason:
        raise InvalidSetting(f"engine openvino cannot be used: {reason}; choose torch or auto")
    if engine != "torch" and not reason:
        yield from (partial(_in_openvino, tower, name, fingerprint) for name in precisions)


def _in_openvino(tower: ImageTower, precision: str, fingerprint: str) -> OpenVinoEngine:
    return OpenVinoEngine(converted(tower, fingerprint), precision, fingerprint)
