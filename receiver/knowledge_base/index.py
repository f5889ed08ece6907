"""Index engines: who finds the nearest embeddings, behind one interface and by name.

To add an engine, write a class with the methods of `IndexEngine` and enter it in `ENGINES`.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, Protocol

import faiss
import numpy as np

from receiver.knowledge_base.records import Floats, Positions
from shared.errors import InvalidSetting

Device = Literal["auto", "cpu", "cuda"]

_GPU_MOST = 2048  # neighbours that FAISS finds on a GPU
_GPU_TEMPORARY_BYTES = 256 << 20  # FAISS would take 1.5 GiB from the CLIP and the codec beside it
_SPARE = 8  # neighbours looked at beyond those asked for, so that ties at the edge are seen
# Multiply-adds, about 50 ms of one core. Below it threads lose: on cores that other processes use too, waiting for each
# other took 10 ms where the search takes 1 ms.
_ONE_THREAD = 1 << 30
_TIE = 2e-6  # squared distances of FAISS and of `_squared_distances` differ by less, for unit vectors


class IndexEngine(Protocol):
    """Finds nearest neighbours among unit vectors; positions count from 0 in the order of `build`."""

    @property
    def name(self) -> str:
        """As in `ENGINES`."""

    def build(self, embeddings: Floats) -> None:
        """Take the place of what was there. embeddings: [N, dim], float32, unit length."""

    def search(self, queries: Floats, k: int) -> tuple[Positions, Floats]:
        """Find the k nearest, nearest first, equally near ones by position.

        queries: [B, dim], float32, unit length; 1 <= k <= N
        Returns positions [B, k], int64, and squared Euclidean distances [B, k], float32, 0 to 4.
        """

    def save(self, path: Path) -> None:
        """Write the index into a file."""

    def load(self, path: Path) -> None:
        """Read what `save` wrote. Raises RuntimeError for anything else."""


def resolve_device(device: Device) -> Literal["cpu", "cuda"]:
    """Decide on a device: `auto` is a GPU where FAISS sees one.

    Raises InvalidSetting for a GPU that is not there.
    """
    gpus = faiss.get_num_gpus() if hasattr(faiss, "get_num_gpus") else 0
    if device == "cuda" and not gpus:
        raise InvalidSetting("device = 'cuda', but FAISS sees no GPU here; choose 'cpu' or 'auto'")
    if device not in ("auto", "cpu", "cuda"):
        raise InvalidSetting(f"device = {device!r}; choose 'auto', 'cpu' or 'cuda'")
    return "cuda" if device != "cpu" and gpus else "cpu"


def make_engine(name: str, device: Device = "auto") -> IndexEngine:
    """Make an empty engine. Raises InvalidSetting for a name that is not in `ENGINES`."""
    if name not in ENGINES:
        raise InvalidSetting(f"engine = {name!r}; choose one of {', '.join(sorted(ENGINES))}")
    return ENGINES[name](resolve_device(device))


class FlatIndex:
    """Exact search with FAISS, on the CPU or on a GPU.

        queries -> FAISS: k + a few candidates -> distances anew -> sort by (distance, position) -> the first k

    The order in which FAISS adds products up depends on the device and on the batch. So the distances of the few
    candidates are computed anew, one pair at a time, and a query has the same answer on both devices and in any batch.
    """

    name = "faiss-flat"

    def __init__(self, device: Literal["cpu", "cuda"]) -> None:
        self._device = device
        self._lock = threading.Lock()

    def build(self, embeddings: Floats) -> None:
        """Copy the embeddings: [N, dim], float32, unit length."""
        index = faiss.IndexFlatIP(embeddings.shape[1])
        index.add(np.ascontiguousarray(embeddings, dtype=np.float32))
        self._adopt(index)

    def search(self, queries: Floats, k: int) -> tuple[Positions, Floats]:
        """See `IndexEngine.search`."""
        wanted = k + _SPARE
        while True:
            candidates = self._candidates(queries, min(wanted, len(self._vectors)))
            squared = _squared_distances(queries, self._vectors, candidates)
            order = np.lexsort((candidates, squared), axis=-1)
            positions = np.take_along_axis(candidates, order, axis=-1)
            squared = np.take_along_axis(squared, order, axis=-1)
            if wanted >= len(self._vectors) or not (squared[:, -1] - squared[:, k - 1] <= _TIE).any():
                return positions[:, :k], squared[:, :k]
            wanted *= 4  # equally near items may lie beyond the edge: look further

    def save(self, path: Path) -> None:
        """Write FAISS's own format."""
        faiss.write_index(self._index, str(path))

    def load(self, path: Path) -> None:
        """Read FAISS's own format."""
        index = faiss.read_index(str(path))
        if not isinstance(index, faiss.IndexFlatIP):
            raise RuntimeError(f"{path} holds a {type(index).__name__}, not an IndexFlatIP")
        self._adopt(index)

    def _adopt(self, index: Any) -> None:
        self._index = index
        stored: Floats = faiss.rev_swig_ptr(index.get_xb(), index.ntotal * index.d)  # no copy
        self._vectors = stored.reshape(index.ntotal, index.d)
        if self._device == "cuda":
            self._resources = faiss.StandardGpuResources()
            self._resources.setTempMemory(_GPU_TEMPORARY_BYTES)
            self._gpu_index = faiss.index_cpu_to_gpu(self._resources, 0, index)

    def _candidates(self, queries: Floats, count: int) -> Positions:
        if self._device == "cuda" and count <= _GPU_MOST:
            with self._lock:  # a GPU index serves one thread at a time
                found: Positions = self._gpu_index.search(queries, count)[1]
        else:
            with _threads(1 if queries.size * len(self._vectors) < _ONE_THREAD else faiss.omp_get_max_threads()):
                found = self._index.search(queries, count)[1]
        return found


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Let FAISS use so many threads for what this thread calls."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(count)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def _squared_distances(queries: Floats, vectors: Floats, candidates: Positions) -> Floats:
    """|q - v|^2 of each query [B, dim] to its candidates [B, n], float32; the same pair gives the same value always."""
    squared = np.empty(candidates.shape, dtype=np.float32)
    for row, (query, found) in enumerate(zip(queries, candidates, strict=True)):
        difference = vectors[found] - query
        squared[row] = np.einsum("nd,nd->n", difference, difference)
    return squared


ENGINES: dict[str, Callable[[Literal["cpu", "cuda"]], IndexEngine]] = {FlatIndex.name: FlatIndex}
