"""A map of the knowledge base: its embeddings in a plane, by PCA, or by UMAP where that is installed."""

import random
from importlib import import_module
from itertools import islice
from typing import Any, Final, NamedTuple, Protocol

import numpy as np

from client import KnowledgeBaseClient
from console.charts import WRONG
from shared.errors import NotFound
from shared.types import Embeddings, Floats

PCA: Final = "PCA"
UMAP: Final = "UMAP"
_MOST: Final = 400
_NEIGHBOURS: Final = 15
"""That UMAP keeps together; its default."""
_MOST_LISTED: Final = 100_000


class Projection(Protocol):
    """What puts embeddings on the map. dim: that they have."""

    @property
    def dim(self) -> int:
        """Values of an embedding."""

    def of(self, embeddings: Embeddings) -> Floats:
        """The places of embeddings [n, dim], [n, 2]."""


class Plane(NamedTuple):
    """The plane of two principal components. mean: [dim]. axes: [dim, 2], orthonormal."""

    mean: Floats
    axes: Floats

    @property
    def dim(self) -> int:
        """Values of an embedding."""
        return self.mean.size

    def of(self, embeddings: Embeddings) -> Floats:
        """The places of embeddings [n, dim] in the plane, [n, 2]."""
        return np.asarray((embeddings - self.mean) @ self.axes, np.float32)


class Manifold:
    """A map by UMAP (McInnes et al., 2018), which keeps near items near: embeddings [n, dim], n >= 3, and later ones.

    Raises NotFound where umap-learn is not installed.
    """

    def __init__(self, embeddings: Embeddings) -> None:
        try:
            umap = import_module("umap")  # optional, and it compiles for seconds
        except ImportError as error:
            raise NotFound(
                f"UMAP needs {error.name}, which is not installed here: pip install umap-learn, or choose {PCA}"
            ) from error
        self.dim = embeddings.shape[1]
        near = min(_NEIGHBOURS, len(embeddings) - 1)
        self._reducer = umap.UMAP(n_neighbors=near, metric="cosine", random_state=0, n_jobs=1).fit(embeddings)

    def of(self, embeddings: Embeddings) -> Floats:
        """The places of embeddings [n, dim], [n, 2]."""
        return np.asarray(self._reducer.transform(embeddings), np.float32)


class Map(NamedTuple):
    """Items on the map. labels: of each. places: [n, 2]. plane: on which further embeddings fall."""

    labels: list[str]
    places: Floats
    plane: Projection


def principal_plane(embeddings: Embeddings) -> Plane:
    """The plane of the two largest principal components of embeddings [n, dim], n >= 2."""
    mean = embeddings.mean(axis=0)
    return Plane(mean, np.linalg.svd(embeddings - mean, full_matrices=False)[2][:2].T)


def read_map(client: KnowledgeBaseClient, method: str = PCA, most: int = _MOST) -> Map:
    """A map of at most so many items, the same ones each time.

    method: `PCA` or `UMAP`. Raises NotFound where UMAP is not installed, or there are fewer than three items.
    """
    lines = list(islice(client.list_items(), _MOST_LISTED))
    chosen = random.Random(0).sample(lines, min(most, len(lines)))
    if len(chosen) < 3:
        raise NotFound(f"{len(chosen)} items in the knowledge base: add some, a map has at least three")
    embeddings = np.stack([client.get_item(line.item_id).embedding for line in chosen])
    plane = Manifold(embeddings) if method == UMAP else principal_plane(embeddings)
    return Map([line.label for line in chosen], plane.of(embeddings), plane)


def chart(found: Map, received: tuple[str, Floats] | None) -> dict[str, Any]:
    """The map as a chart: a colour for each label, and the received embedding, with the label of its answer."""
    known = {label: place for place, label in enumerate(sorted(set(found.labels)))}
    colours = [f"hsl({360 * known[label] / len(known):.0f},65%,50%)" for label in found.labels]
    items = [
        {"value": _point(at), "name": label, "itemStyle": {"color": colour}}
        for label, at, colour in zip(found.labels, found.places, colours, strict=True)
    ]
    axis = {"type": "value", "scale": True, "axisLabel": {"show": False}, "splitLine": {"show": False}}
    axis |= {"axisTick": {"show": False}, "axisLine": {"show": False}}
    return {
        "animation": False,
        "tooltip": {"formatter": "{b}"},
        "grid": {"left": 10, "right": 10, "top": 10, "bottom": 10},
        "xAxis": axis,
        "yAxis": axis,
        "series": [
            {"type": "scatter", "name": "items", "symbolSize": 7, "data": items},
            {"type": "effectScatter", "name": "received", "symbolSize": 16, "data": _fallen(found.plane, received),
             "itemStyle": {"color": WRONG, "borderColor": "#fff", "borderWidth": 2}},
        ],
    }  # fmt: skip


def _fallen(plane: Projection, received: tuple[str, Floats] | None) -> list[dict[str, Any]]:
    if received is None or received[1].size != plane.dim:
        return []
    label, embedding = received
    embedding = embedding / np.linalg.norm(embedding)  # as the items are
    return [{"value": _point(plane.of(embedding[None])[0]), "name": f"received: {label}"}]


def _point(at: Floats) -> list[float]:
    return [round(float(one), 4) for one in at]
