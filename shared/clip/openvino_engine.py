"""Towers of CLIP run by OpenVINO on a processor.

torch module --torch.export, any batch size--> ir_file, kept by fingerprint --compile, kept too--> engine

The next start reads both from the cache. A picture's embedding does not depend on the batch that it is in.
"""

import os
import sys
import threading
from importlib import import_module
from importlib.util import find_spec
from math import inf
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

import platformdirs
import structlog

from shared.clip.quiet import without_warnings
from shared.device import thread_count
from shared.errors import InvalidSetting
from shared.types import Embeddings, Pixels

if TYPE_CHECKING:
    from shared.clip.engine import ImageTower

log = structlog.get_logger()

_HINTS = {"float32": "f32", "bfloat16": "bf16"}
PRECISIONS: Final = tuple(_HINTS)
_LARGEST_BATCH = 1 << 16
_RUNS: Final = 6
_SHORT_SECONDS: Final = 0.005
"""One picture that takes longer is worth every thread, and a second compiled model costs memory."""
_AS_FAST: Final = 1.2


def unavailable() -> str:
    """Why OpenVINO cannot be used here; empty where it can."""
    return "" if find_spec("openvino") else "it is not installed, pip install openvino"


def ir_file_of(fingerprint: str) -> Path:
    """Where a model of this fingerprint is kept in OpenVINO's format: in the user's cache directory."""
    return platformdirs.user_cache_path("semlink") / "openvino" / fingerprint / "image.xml"


def _openvino() -> Any:
    """The package without its telemetry, and not before it is wanted: not every installation has it.

    Importing it and converting report to its makers over the network, from a process that it forks and ends with
    SIGTERM, which a service takes for its own.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type] # its import fails: OpenVINO does without
    return import_module("openvino")


class OpenVinoEngine:
    """A compiled tower. precision: OpenVINO's hint; the sums of bfloat16 products are float32.

    It takes as many threads as torch has been given, or one for each core; for one picture one thread alone, where that
    is as fast: the others would spin after it and take the cores from whoever passes the burst on. Calls from several
    threads take turns.
    """

    name = "openvino"

    def __init__(self, model: Path | Any, precision: str, fingerprint: str) -> None:
        """model: the tower, or its file. fingerprint: of the CLIP, under which the compiled model is kept.

        Raises InvalidSetting, with OpenVINO's reason, where this processor cannot run the tower.
        """
        self.precision = precision
        self._turn = threading.Lock()
        core, cache = _openvino().Core(), ir_file_of(fingerprint).parent
        options = {
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
            "INFERENCE_NUM_THREADS": thread_count(),
            "PERFORMANCE_HINT": "LATENCY",
        }
        if isinstance(model, Path) and _can_be_made(cache):
            options["CACHE_DIR"] = str(cache)

        def compiled(**more: int) -> Any:
            return core.compile_model(model, "CPU", options | more).create_infer_request()

        self._compiled = compiled
        self._for_one: Any = None
        try:
            self._request: Any = self._compiled()
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1]
            raise InvalidSetting(f"OpenVINO cannot run CLIP in {precision} here: {reason}; use engine torch") from error

    def __call__(self, pixels: Pixels) -> Embeddings:
        """Embed pictures; see `Engine`."""
        with self._turn:
            request = self._request_for_one(pixels) if len(pixels) == 1 else self._request
            embeddings: Embeddings = request.infer([pixels])[0]
        return embeddings

    def _request_for_one(self, pixels: Pixels) -> Any:
        """What runs one picture; found with the first one."""
        if self._for_one is None:
            self._for_one = self._request
            if _seconds([self._request], pixels)[0] < _SHORT_SECONDS:
                single = self._compiled(INFERENCE_NUM_THREADS=1)
                every_thread, one_thread = _seconds([self._request, single], pixels)
                self._for_one = single if one_thread < _AS_FAST * every_thread else self._request
        return self._for_one


def _seconds(requests: list[Any], pixels: Pixels) -> list[float]:
    """The least time of each in several rounds, by turns; the first round warms up."""
    taken = [inf] * len(requests)
    for _ in range(_RUNS):
        for place, request in enumerate(requests):
            start = perf_counter()
            request.infer([pixels])
            taken[place] = min(taken[place], perf_counter() - start)
    return taken


def converted(tower: "ImageTower", fingerprint: str) -> Path | Any:
    """The tower in OpenVINO's format: its file in the user's cache, or itself where that cannot be written."""
    ir_file = ir_file_of(fingerprint)
    if ir_file.is_file():
        return ir_file
    log.info("converting CLIP for OpenVINO, once", file=str(ir_file))
    model = _convert(tower)
    try:
        _keep(model, ir_file)
    except OSError as error:
        log.warning("the converted CLIP cannot be kept; the next start converts again", reason=str(error))
        return model
    return ir_file


def export_tower(tower: "ImageTower", file: Path) -> None:
    """Write the tower in OpenVINO's format, weights in half precision. file: NAME.xml; the weights lie beside it."""
    _openvino().save_model(_convert(tower), file, compress_to_fp16=True)


def save_texts(tower: Any, context: int, file: Path) -> None:
    """Write a text tower, from tokens [B, context], int64, in OpenVINO's format, weights in half precision."""
    import torch  # noqa: PLC0415 - what is converted is torch's

    model = _converted(tower, torch.zeros(2, context, dtype=torch.int64))
    model.reshape([-1, context])
    _openvino().save_model(model, file, compress_to_fp16=True)


def compiled_texts(file: Path) -> Any:
    """A text tower that was saved, ready to infer, in float32."""
    options = {"INFERENCE_PRECISION_HINT": _HINTS["float32"], "INFERENCE_NUM_THREADS": thread_count()}
    return _openvino().Core().compile_model(file, "CPU", options).create_infer_request()


def _can_be_made(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


def _convert(tower: "ImageTower") -> Any:
    """The tower as OpenVINO's model, for any batch size."""
    import torch  # noqa: PLC0415 - what is converted is torch's

    size = tower.image_size
    model = _converted(tower.eval(), torch.zeros(2, size, size, 3, dtype=torch.uint8))
    model.reshape([-1, size, size, 3])
    return model


def _converted(tower: Any, example: Any) -> Any:
    """A torch module as OpenVINO's model. example: a batch of two of what it takes."""
    import torch  # noqa: PLC0415

    batch = torch.export.Dim("batch", min=1, max=_LARGEST_BATCH)
    program = torch.export.export(tower, (example,), dynamic_shapes=({0: batch},))
    with without_warnings():  # of operations that this version of torch does not have
        return _openvino().convert_model(program)


def _keep(model: Any, ir_file: Path) -> None:
    """Write beside the place and rename, since other services may do the same now."""
    import tempfile  # noqa: PLC0415

    ir_file.parent.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ir_file.parent.parent) as folder:
        _openvino().save_model(model, Path(folder) / "new" / ir_file.name, compress_to_fp16=False)
        if not ir_file.is_file():
            (Path(folder) / "new").replace(ir_file.parent)
