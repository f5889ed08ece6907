"""`flat`: exact search with FAISS."""

from pathlib import Path
from typing import Any, ClassVar

import faiss

from receiver.knowledge_base.index.base import Vectors
from receiver.knowledge_base.index.exact_search import exact_nearest
from receiver.knowledge_base.index.faiss_tools import FaissEngine, resolve_device
from receiver.knowledge_base.index.settings import EngineSettings
from shared.types import Floats, Positions


class FlatIndex(FaissEngine):
    """Exact search, on the CPU or on a GPU, with the same answers on both; see `exact`."""

    name: ClassVar[str] = "flat"
    exact: ClassVar[bool] = True
    growing: ClassVar[bool] = True

    def __init__(self, settings: EngineSettings) -> None:
        super().__init__(resolve_device(settings.device), settings.threads)

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

    def load(self, path: Path) -> None:
        """Read FAISS's own format."""
        index = faiss.read_index(str(path))
        inner: Any = faiss.downcast_index(index.index) if isinstance(index, faiss.IndexIDMap2) else None
        if not isinstance(inner, faiss.IndexFlatIP):
            raise RuntimeError(f"{path} holds a {type(index).__name__}, not a flat index with positions")
        self._adopt(index)

    def _adopt(self, index: Any) -> None:
        super()._adopt(index)
        flat: Any = faiss.downcast_index(index.index)
        stored: Floats = faiss.rev_swig_ptr(flat.get_xb(), index.ntotal * index.d)  # no copy
        self._vectors = stored.reshape(index.ntotal, index.d)
        self._positions: Positions = faiss.vector_to_array(index.id_map)
        self._search_in(flat)

    def _candidates(self, queries: Floats, count: int) -> Positions:
        """Rows of the vectors, so positions in the same order: [B, count]."""
        return self._find(queries, count, work=queries.size * len(self))[1]
