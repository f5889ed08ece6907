"""Digests of what the system computes, held against those recorded in `digests.json`.

    case --found--> {"digests": ..., "values": ...} --probe as recorded?--+-- yes: digests, to the last bit
                                                                           '-- no: values, within a tolerance

All that computes runs in child processes whose arithmetic is pinned: one thread, and the kernels of AVX2 even where a
processor has more. Without that a sum depends on the number of cores, and CLIP's `auto` precision on how busy the
machine is. A digest then holds for all x86 processors with AVX2 and the same libraries; `probe` says whether it does.
"""

import hashlib
import json
import math
import os
import subprocess
import sys
from importlib.metadata import version
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tests.tools.paths import ROOT

BOOK: Final = ROOT / "tests" / "link" / "digests.json"
RECORDING: Final = os.environ.get("SEMLINK_RECORD_DIGESTS") == "1"
TOLERANCE: Final = 1e-3
"""Of plain values, absolute or relative, where the arithmetic differs from that of the recording."""
OFFLINE_TOLERANCE: Final = 0.02
"""Of shares and means of 100 queries: two of them may be answered otherwise."""

PINNED: Final = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "DNNL_MAX_CPU_ISA": "AVX2",  # also takes away bfloat16, so that `auto` is float32, whatever the timing says
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "FAISS_OPT_LEVEL": "avx2",
    "MKL_CBWR": "AVX2",
    "NPY_DISABLE_CPU_FEATURES": "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR X86_V4",
    "OPENBLAS_CORETYPE": "Haswell",
    "MKL_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "",
}
_LIBRARIES: Final = ("numpy", "pillow", "pillow-heif", "scipy", "sionna-no-rt", "torch", "torchvision")

Found = dict[str, Any]
"""`digests`: name -> hexadecimal digits; `values`: name -> numbers, texts, and lists of them."""


def digest(*parts: Any) -> str:
    """The first 16 hexadecimal digits of SHA-256 over arrays and what JSON can say, floats to the last bit."""
    found = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            found.update(f"{part.dtype}{part.shape}".encode() + part.tobytes())
        else:
            found.update(json.dumps(part).encode())
    return found.hexdigest()[:16]


def plain(value: Any) -> Any:
    """A value for `digests.json`: floats to 7 digits, complex numbers as pairs, None for what is no number."""
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, complex | np.complexfloating):
        return plain([float(value.real), float(value.imag)])
    if isinstance(value, float | np.floating):
        return None if math.isnan(value) else float(f"{value:.7g}")
    return value


def head(array: npt.NDArray[Any]) -> list[Any]:
    """The first values of an array."""
    return [plain(each) for each in array.ravel()[:3].tolist()]


def in_a_child(module: str, *arguments: str) -> Any:
    """What `python -m module` prints as its last line, in JSON, computed with the pinned arithmetic."""
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, encoding="utf-8", check=False, env=os.environ | PINNED
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def probe() -> str:
    """A digest of arithmetic that has nothing to do with SemLink, and of the libraries that it and codecs rest on."""
    import faiss  # noqa: PLC0415 - for children alone
    import torch  # noqa: PLC0415
    from torch.nn import functional as F  # noqa: PLC0415

    rng = np.random.default_rng(20)
    x = rng.standard_normal((67, 131))
    turned = np.exp(2j * np.pi * x[:, :64]).astype(np.complex64)
    parts = [np.exp(x), np.cos(x), np.log1p(x * x), x @ x.T, x.astype(np.float32) @ x.T.astype(np.float32), turned]
    parts += [np.fft.fft(turned), turned.conj() @ turned.T, np.linalg.inv(x @ x.T), np.hypot(x, 1), x.sum(axis=0)]
    pictures, kernels = (
        torch.from_numpy(rng.standard_normal(shape, np.float32)) for shape in ((2, 9, 32, 32), (17, 9, 3, 3))
    )
    seen = F.conv2d(pictures.contiguous(memory_format=torch.channels_last), kernels, padding=1)
    flat = seen.flatten(1)[:, :4096].contiguous()
    weights = torch.from_numpy(rng.standard_normal((200, 4096), np.float32))
    tensors = [seen, flat @ weights.mT, F.softmax(flat @ weights.mT, dim=1), F.gelu(flat), torch.logsumexp(flat, 1)]
    tensors += [F.layer_norm(flat, (4096,)), F.conv2d(pictures, kernels[:, :1].repeat(1, 9, 1, 1)), flat.erf()]
    versions = [f"faiss {faiss.__version__}", *(f"{name} {version(name)}" for name in _LIBRARIES)]
    return digest(*parts, *(np.ascontiguousarray(tensor.numpy()) for tensor in tensors), versions)


def manner(probed: str) -> str:
    """How `check` compares on a machine of this probe."""
    if RECORDING:
        return f"recorded in {BOOK.name}"
    if _book().get("probe") == probed:
        return "compared bit for bit"
    why = "arithmetic or libraries are not those of the recording"
    return f"values compared to {TOLERANCE:g}, off line to {OFFLINE_TOLERANCE:g}: {why}"


def check(name: str, found: Found, probed: str, tolerance: float = TOLERANCE) -> None:
    """Hold what was found against what is recorded, or record it."""
    book = _book()
    if RECORDING:
        if book.get("probe") != probed:  # of another arithmetic: begun anew
            book = {"probe": probed, "cases": {}}
        book["cases"][name] = found
        BOOK.write_text(_written(book), encoding="utf-8")
        return
    assert name in book["cases"], f"{name} is not recorded; see tests/link/test_digests.py"
    recorded = book["cases"][name]
    before, now = recorded["digests"], found["digests"]
    values = f"values were {json.dumps(recorded['values'])} and are {json.dumps(found['values'])}"
    if book["probe"] == probed:
        differing = sorted(key for key in before | now if before.get(key) != now.get(key))
        assert not differing, f"{differing} differ; {values}"
    else:
        assert alike(recorded["values"], found["values"], tolerance), values


def alike(one: Any, two: Any, tolerance: float) -> bool:
    """Whether plain values are the same, numbers within the tolerance."""
    if isinstance(one, dict) and isinstance(two, dict):
        return one.keys() == two.keys() and all(alike(one[key], two[key], tolerance) for key in one)
    if isinstance(one, list) and isinstance(two, list):
        return len(one) == len(two) and all(alike(*pair, tolerance) for pair in zip(one, two, strict=True))
    if isinstance(one, float) and isinstance(two, float):
        return math.isclose(one, two, rel_tol=tolerance, abs_tol=tolerance)
    return bool(one == two)


def _book() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(BOOK.read_text(encoding="utf-8")) if BOOK.exists() else {"cases": {}}
    return found


def _written(book: dict[str, Any]) -> str:
    """One line for each case, in the order of names."""
    cases = ",\n".join(f"  {json.dumps(name)}: {json.dumps(case)}" for name, case in sorted(book["cases"].items()))
    return f'{{"probe": {json.dumps(book["probe"])}, "cases": {{\n{cases}\n}}}}\n'


if __name__ == "__main__":
    print(json.dumps(probe()))
