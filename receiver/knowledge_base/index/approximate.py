"""Approximate search with FAISS: a compressed index that finds candidates.

Every engine of `recipes` is this one class with another row.
"""

import os
from collections.abc import Mapping
from copy import copy
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import faiss
import numpy as np
import structlog

from receiver.knowledge_base.index.base import Vectors
from receiver.knowledge_base.index.faiss_tools import FaissEngine, faiss_threads, resolve_device
from receiver.knowledge_base.index.recipes import RECIPES
from receiver.knowledge_base.index.settings import EngineSettings
from shared.errors import InvalidSetting
from shared.types import Floats, Positions

log = structlog.get_logger()

_ITERATIONS = 10  # of k-means
_OPQ_ITERATIONS = 4
_OPQ_TRAINING = 1 << 14
_CODE_BYTES = 8  # cost of scanning one code, against a multiply-add of an exact search


class ApproximateIndex(FaissEngine):
    """Finds candidates among compressed vectors, on the CPU or, where the recipe allows it, on a GPU."""

    exact: ClassVar[bool] = False

    def __init__(self, name: str, settings: EngineSettings) -> None:
        self.name = name
        self.growing = True  # until it is mapped from a file
        self._recipe = RECIPES[name]
        self._settings = settings
        super().__init__(self._resolve(settings), settings.threads)

    @property
    def parameters(self) -> Mapping[str, int]:
        """What the search is tuned by: nprobe or efSearch, and depth, the candidates beyond those asked for."""
        return self._parameters

    def tuned(self, parameters: Mapping[str, int]) -> Self:
        """The same index, searched with other parameters; those not named keep their defaults.

        Raises InvalidSetting for a name that this engine does not have, or a value below 0.
        """
        twin = copy(self)
        twin._parameters = {**self._recipe.defaults(len(self)), **self._checked(parameters)}
        return twin

    def build(self, vectors: Vectors) -> None:
        """See `IndexEngine.build`. Raises InvalidSetting for fewer items than the engine can learn from."""
        items = len(vectors)
        if items < self._recipe.least_items:
            raise InvalidSetting(
                f"engine = {self.name!r} learns from at least {self._recipe.least_items} items, and there are "
                f"{items}; choose 'flat'"
            )
        if self._recipe.keeps_exactly(items):
            log.info("too few items to learn from: they are kept exactly until the index is built again", items=items)
        index = _few_iterations(faiss.index_factory(vectors.dim, self._recipe.factory(items, vectors.dim)))
        with faiss_threads(self._threads):
            index.train(vectors.sample(self._recipe.training(items)))
            for positions, embeddings in vectors.chunks():
                index.add_with_ids(embeddings, positions)
        self._adopt(index)

    def search(self, queries: Floats, k: int) -> tuple[Positions, Floats]:
        """See `IndexEngine.search`. Where the lists that are probed hold too few, more are probed."""
        k = min(k, len(self))
        count = min(k + self._parameters["depth"], len(self))
        effort = max(self._parameters[self._recipe.effort], 1)
        work = 0 if len(queries) == 1 else queries.size * len(self) // _CODE_BYTES  # one query takes one thread
        while True:
            squared, positions = self._find(queries, count, work, self._search_parameters(effort))
            if effort >= len(self) or (positions[:, :k] >= 0).all():
                return positions, np.clip(squared, 0, 4)
            effort = min(4 * effort, len(self))

    def load(self, path: Path) -> None:
        """Read FAISS's own format; a file too large for the memory stays on disk, mapped."""
        mapping = self._recipe.mapping if self._too_large(path) else None
        index = faiss.read_index(str(path), mapping or 0)
        expected = faiss.index_factory(index.d, self._recipe.factory(max(1, index.ntotal), index.d))
        if _kinds(index) != _kinds(expected):
            raise RuntimeError(f"{path} holds a {' of '.join(_kinds(index))}, not what {self.name} writes")
        self._adopt(index)
        self.growing = mapping is None

    def _adopt(self, index: Any) -> None:
        super()._adopt(index)
        self._parameters = {**self._recipe.defaults(len(self)), **self._checked(self._settings.parameters)}
        self._search_in(index, half_tables=True)

    def _search_parameters(self, effort: int) -> Any:
        """Parameters of one search, so that threads do not share settings of the index."""
        if self._recipe.effort == "efSearch":
            return faiss.SearchParametersHNSW(efSearch=effort)  # type: ignore[attr-defined]
        of_lists = faiss.SearchParametersIVF(nprobe=effort)  # type: ignore[call-arg]
        if self._recipe.rotation:
            return faiss.SearchParametersPreTransform(index_params=of_lists)  # type: ignore[call-arg]
        return of_lists

    def _checked(self, parameters: Mapping[str, int]) -> Mapping[str, int]:
        names = (self._recipe.effort, "depth")
        for name, value in parameters.items():
            if name not in names:
                raise InvalidSetting(f"engine {self.name} has no parameter {name!r}; it has {' and '.join(names)}")
            if value < 0:
                raise InvalidSetting(f"{name} = {value}; choose 0 or more")
        return parameters

    def _too_large(self, path: Path) -> bool:
        limit = self._settings.mapped_above_bytes
        if limit is None:
            limit = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
        return path.stat().st_size > limit

    def _resolve(self, settings: EngineSettings) -> Literal["cpu", "cuda"]:
        if self._recipe.gpu:
            return resolve_device(settings.device)
        if settings.device == "cuda":
            raise InvalidSetting(f"device = 'cuda', but FAISS has no {self.name} for a GPU; choose 'cpu' or 'auto'")
        return "cpu"


def _few_iterations(index: Any) -> Any:
    """Limit the training time; FAISS's defaults take several times as long for the same recall."""
    inner: Any = index
    if _kinds(index)[0] == "IndexPreTransform":
        rotation: Any = faiss.downcast_VectorTransform(index.chain.at(0))
        rotation.niter, rotation.max_train_points = _OPQ_ITERATIONS, _OPQ_TRAINING
        rotation.niter_pq_0, rotation.niter_pq = _ITERATIONS, 2
        inner = faiss.downcast_index(index.index)
    learning = (part.cp for part in (inner, getattr(inner, "pq", inner)) if hasattr(part, "cp"))
    for clustering in learning:
        clustering.niter, clustering.min_points_per_centroid = _ITERATIONS, 1
    return index


def _kinds(index: Any) -> list[str]:
    """Names of an index and of those inside it, outermost first."""
    names = [type(index).__name__]
    while isinstance(index, faiss.IndexPreTransform | faiss.IndexIDMap):
        index = faiss.downcast_index(index.index)
        names.append(type(index).__name__)
    return names
