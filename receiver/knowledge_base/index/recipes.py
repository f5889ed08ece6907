"""FAISS index descriptions of the approximate engines: one row each.

    ivf-sq8      lists of near items, a byte for each value                     dim bytes an item
    ivf-rabitq   lists of near items, a bit for each value (arXiv 2405.12497)   dim / 8 bytes
    opq-ivf-pq   rotated, lists of near items, a byte for eight values          dim / 8 bytes, slow to train
    hnsw         a graph of near items, a byte for each value                   dim + 270 bytes, slow to build

All find candidates, which are then ranked by their exact embeddings.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import log2, sqrt
from typing import Literal

import faiss

_TRAIN_PER_LIST = 64  # items for each list; k-means learns little from more
_LEAST_TRAINING = 1 << 14
_FEW_ITEMS = 64  # a scale learned from fewer does not fit what is added later
_MOST_LISTS = 1 << 16
_LEAST_NPROBE = 32  # of a few hundred lists; the neighbours of a noisy query are in many
_EF_SEARCH = 128


@dataclass(frozen=True)
class Recipe:
    """One row.

    code: the part of FAISS's index factory that says how a vector is kept; {bytes} is an eighth of its dimension
    rotation: the part before that learns a rotation, or nothing
    effort: name of the parameter that trades speed for recall: nprobe of lists, efSearch of a graph
    depth: candidates beyond those asked for, ranked anew
    least_items: fewer cannot be learned from
    gpu: whether FAISS has a part for it on a GPU
    mapping: FAISS's flag for reading its file without bringing it into memory; none where FAISS cannot
    """

    code: str
    depth: int
    rotation: str = ""
    effort: Literal["nprobe", "efSearch"] = "nprobe"
    least_items: int = 1
    gpu: bool = True
    mapping: int | None = faiss.IO_FLAG_MMAP

    def factory(self, items: int, dim: int) -> str:
        """What `faiss.index_factory` builds for so many items; too few to learn a scale from are kept as they are."""
        if self.keeps_exactly(items):
            return "IVF1,Flat"
        lists = f"IVF{list_count(items)}," if self.effort == "nprobe" else "IDMap2,"
        return (self.rotation + lists + self.code).format(bytes=dim // 8)

    def keeps_exactly(self, items: int) -> bool:
        """Whether so many items are too few to learn this code from."""
        return items < _FEW_ITEMS and self.effort == "nprobe" and self.least_items == 1

    def training(self, items: int) -> int:
        """How many of so many items to learn from."""
        return min(items, max(_LEAST_TRAINING, _TRAIN_PER_LIST * list_count(items)))

    def defaults(self, items: int) -> dict[str, int]:
        """Default parameters of a search among so many items, without tuning."""
        lists = list_count(items)
        effort = _EF_SEARCH if self.effort == "efSearch" else min(lists, max(_LEAST_NPROBE, lists // 32))
        return {self.effort: effort, "depth": self.depth}


def list_count(items: int) -> int:
    """How many lists: about the square root of the items, a power of 2, at least 64 items to a list."""
    return max(1, min(_MOST_LISTS, 1 << round(log2(sqrt(items))), 1 << int(log2(max(1, items // _TRAIN_PER_LIST)))))


RECIPES: Mapping[str, Recipe] = {
    "ivf-sq8": Recipe("SQ8", depth=5),
    "ivf-rabitq": Recipe("RaBitQfs", depth=200, gpu=False, mapping=None),
    "opq-ivf-pq": Recipe("PQ{bytes}x8", depth=200, rotation="OPQ{bytes},", least_items=256),
    "hnsw": Recipe("HNSW32_SQ8", depth=5, effort="efSearch", gpu=False, mapping=faiss.IO_FLAG_MMAP_IFC),
}
