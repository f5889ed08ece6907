"""What the FAISS engines have in common: device, threads, a copy on a GPU, growing and saving."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from typing import Any, Literal, Self

import faiss
import numpy as np

from receiver.knowledge_base.index.settings import Device
from shared.errors import InvalidSetting
from shared.types import Floats, Positions

_GPU_TEMPORARY_BYTES = 256 << 20  # FAISS would take 1.5 GiB from the CLIP and the codec beside it
_GPU_MOST = 2048  # neighbours that FAISS finds on a GPU
# Multiply-adds, about 50 ms of one core; smaller searches take one thread. On cores that other processes use too,
# synchronizing threads took 10 ms where the search takes 1 ms.
_ONE_THREAD = 1 << 30


class FaissEngine(ABC):
    """An index with ids of its own, searched on the CPU or by its copy on a GPU.

    device: cpu or cuda. threads: for one search, and for building
    """

    def __init__(self, device: Literal["cpu", "cuda"], threads: int) -> None:
        self._device = device
        self._threads = threads

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def clone(self) -> Self:
        """See `IndexEngine.clone`."""
        twin = copy(self)
        twin._adopt(faiss.clone_index(self._index))
        return twin

    def add(self, positions: Positions, embeddings: Floats) -> None:
        """See `IndexEngine.add`."""
        with faiss_threads(self._threads):
            self._index.add_with_ids(np.ascontiguousarray(embeddings, np.float32), positions)
        self._adopt(self._index)

    def save(self, path: Path) -> None:
        """Write FAISS's own format."""
        faiss.write_index(self._index, str(path))

    @abstractmethod
    def _adopt(self, index: Any) -> None:
        """Search this index from now on."""
        self._index = index

    def _search_in(self, index: Any, half_tables: bool = False) -> None:
        """Let `_find` search an index: what was adopted, or what is inside it.

        half_tables: tables of 64 sub-quantizers fit a GPU's shared memory only as float16
        """
        self._searched = index
        if self._device == "cuda":
            self._gpu_lock = threading.Lock()
            self._gpu_index, self._resources = _to_gpu(index, half_tables)

    def _find(self, queries: Floats, count: int, work: int, parameters: Any = None) -> tuple[Floats, Positions]:
        """FAISS's distances and ids: [B, count]. work: multiply-adds of a search on the CPU."""
        if self._device == "cuda" and count <= _GPU_MOST:
            with self._gpu_lock:  # a GPU index serves one thread at a time
                found: tuple[Floats, Positions] = self._gpu_index.search(queries, count, params=parameters)
        else:
            with faiss_threads(1 if work < _ONE_THREAD else self._threads):
                found = self._searched.search(queries, count, params=parameters)
        return found


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


def _to_gpu(index: Any, half_tables: bool) -> tuple[Any, Any]:
    """A copy of an index on the first GPU, and the resources that must live as long as it does."""
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
