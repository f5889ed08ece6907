"""A map of the knowledge base: its embeddings in the plane of their two largest principal components."""

import random
from itertools import islice
from typing import Any, Final, NamedTuple

import numpy as np

from client import KnowledgeBaseClient
from console.charts import WRONG
from shared.types import Embeddings, Floats

_MOST: Final = 400
_MOST_LISTED: Final = 100_000


class Plane(NamedTuple):
    """Where embeddings are seen from. mean: [dim]. axes: [dim, 2], orthonormal."""

    mean: Floats
    axes: Floats

    def of(self, embeddings: Embeddings) -> Floats:
        """The places of embeddings [n, dim] in the plane, [n, 2]."""
        return np.asarray((embeddings - self.mean) @ self.axes, np.float32)


class Map(NamedTuple):
    """Items on the map. labels: of each. places: [n, 2]. plane: on which further embeddings fall."""

    labels: list[str]
    places: Floats
    plane: Plane


def principal_plane(embeddings: Embeddings) -> Plane:
    """The plane of the two largest principal components of embeddings [n, dim], n >= 2."""
    mean = embeddings.mean(axis=0)
    return Plane(mean, np.linalg.svd(embeddings - mean, full_matrices=False)[2][:2].T)


def read_map(client: KnowledgeBaseClient, most: int = _MOST) -> Map | None:
    """A map of at most so many items, the same ones each time; None with fewer than two."""
    lines = list(islice(client.list_items(), _MOST_LISTED))
    chosen = random.Random(0).sample(lines, min(most, len(lines)))
    if len(chosen) < 2:
        return None
    embeddings = np.stack([client.get_item(line.item_id).embedding for line in chosen])
    plane = principal_plane(embeddings)
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


def _fallen(plane: Plane, received: tuple[str, Floats] | None) -> list[dict[str, Any]]:
    if received is None or received[1].size != plane.mean.size:
        return []
    label, embedding = received
    embedding = embedding / np.linalg.norm(embedding)  # as the items are
    return [{"value": _point(plane.of(embedding[None])[0]), "name": f"received: {label}"}]


def _point(at: Floats) -> list[float]:
    return [round(float(one), 4) for one in at]
