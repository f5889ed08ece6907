"""Tools of the FAISS engines: device, threads, copies on a GPU."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import faiss

from receiver.knowledge_base.index.settings import Device
from shared.errors import InvalidSetting

_GPU_TEMPORARY_BYTES = 256 << 20  # FAISS would take 1.5 GiB from the CLIP and the codec beside it
GPU_MOST = 2048  # neighbours that FAISS finds on a GPU
# Multiply-adds, about 50 ms of one core; smaller searches take one thread. On cores that other processes use too,
# synchronizing threads took 10 ms where the search takes 1 ms.
ONE_THREAD = 1 << 30


def resolve_device(device: Device) -> Literal["cpu", "cuda"]:
    """Choose a device: `auto` is a GPU if FAISS sees one.

    Raises InvalidSetting for a GPU that is not there.
    """
    gpus = faiss.get_num_gpus() if hasattr(faiss, "get_num_gpus") else 0
    if device == "cuda" and not gpus:
        raise InvalidSetting("device = 'cuda', but FAISS sees no GPU here; choose 'cpu' or 'auto'")
    if device not in ("auto", "cpu", "cuda"):
        raise InvalidSetting(f"device = {device!r}; choose 'auto', 'cpu' or 'cuda'")
    return "cuda" if device != "cpu" and gpus else "cpu"


def to_gpu(index: Any, half_tables: bool = False) -> tuple[Any, Any]:
    """A copy of an index on the first GPU, and the resources that must live as long as it does.

    half_tables: tables of 64 sub-quantizers fit a GPU's shared memory only as float16
    """
    resources = faiss.StandardGpuResources()
    resources.setTempMemory(_GPU_TEMPORARY_BYTES)
    options = faiss.GpuClonerOptions()
    options.useFloat16 = half_tables
    return faiss.index_cpu_to_gpu(resources, 0, index, options), resources


@contextmanager
def faiss_threads(count: int) -> Iterator[None]:
    """Let FAISS use so many threads for what this thread calls."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(count)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)
