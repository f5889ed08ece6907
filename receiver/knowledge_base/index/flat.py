"""`flat`: exact search with FAISS."""

import threading
from copy import copy
from pathlib import Path
from typing import Any, ClassVar, Self

import faiss
import numpy as np

from receiver.knowledge_base.index.base import Vectors
from receiver.knowledge_base.index.exact_search import exact_nearest
from receiver.knowledge_base.index.faiss_tools import GPU_MOST, ONE_THREAD, faiss_threads, resolve_device, to_gpu
from receiver.knowledge_base.index.settings import EngineSettings
from shared.types import Floats, Positions


class FlatIndex:
    """Exact search, on the CPU or on a GPU, with the same answers on both; see `exact`."""

    name: ClassVar[str] = "flat"
    exact: ClassVar[bool] = True
    growing: ClassVar[bool] = True

    def __init__(self, settings: EngineSettings) -> None:
        self._device = resolve_device(settings.device)
        self._threads = settings.threads
        self._gpu_lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._vectors)

    def build(self, vectors: Vectors) -> None:
        """See `IndexEngine.build`."""
        index = faiss.IndexIDMap2(faiss.IndexFlatIP(vectors.dim))
        for positions, embeddings in vectors.chunks():
            index.add_with_ids(embeddings, positions)
        self._adopt(index)

    def search(self, queries: Floats, k: int) -> tuple[Positions, Floats]:
        """See `IndexEngine.search`."""
        rows, squared = exact_nearest(self._vectors, queries, k, self._candidates)
        return self._positions[rows], squared

    def clone(self) -> Self:
        """See `IndexEngine.clone`."""
        twin = copy(self)
        twin._adopt(faiss.clone_index(self._index))
        return twin

    def add(self, positions: Positions, embeddings: Floats) -> None:
        """See `IndexEngine.add`."""
        self._index.add_with_ids(np.ascontiguousarray(embeddings, np.float32), positions)
        self._adopt(self._index)

    def save(self, path: Path) -> None:
        """Write FAISS's own format."""
        faiss.write_index(self._index, str(path))

    def load(self, path: Path) -> None:
        """Read FAISS's own format."""
        index = faiss.read_index(str(path))
        if not isinstance(index, faiss.IndexIDMap2) or not isinstance(_inner(index), faiss.IndexFlatIP):
            raise RuntimeError(f"{path} holds a {type(index).__name__}, not a flat index with positions")
        self._adopt(index)

    def _adopt(self, index: Any) -> None:
        self._index = index
        self._flat = _inner(index)
        stored: Floats = faiss.rev_swig_ptr(self._flat.get_xb(), index.ntotal * index.d)  # no copy
        self._vectors = stored.reshape(index.ntotal, index.d)
        self._positions: Positions = faiss.vector_to_array(index.id_map)
        if self._device == "cuda":
            self._gpu_lock = threading.Lock()
            self._gpu_index, self._resources = to_gpu(self._flat)

    def _candidates(self, queries: Floats, count: int) -> Positions:
        """Rows of the vectors, so positions in the same order: [B, count]."""
        if self._device == "cuda" and count <= GPU_MOST:
            with self._gpu_lock:  # a GPU index serves one thread at a time
                found: Positions = self._gpu_index.search(queries, count)[1]
        else:
            with faiss_threads(1 if queries.size * len(self) < ONE_THREAD else self._threads):
                found = self._flat.search(queries, count)[1]
        return found


def _inner(index: Any) -> Any:
    return faiss.downcast_index(index.index)
