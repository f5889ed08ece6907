"""How much meaning an embedding carries: nearest neighbour and zero-shot accuracy."""

import numpy as np

from shared.types import Embeddings, Labels


def semantic_accuracy(queries: Embeddings, query_labels: Labels, items: Embeddings, item_labels: Labels) -> float:
    """Share of queries whose nearest item (largest inner product) has the query's label.

    queries: [Q, D] and items: [N, D], float32, L2-normalised; labels: [Q] and [N]
    """
    nearest = np.argmax(queries @ items.T, axis=1)
    return float(np.mean(item_labels[nearest] == query_labels))


def zero_shot_accuracy(images: Embeddings, labels: Labels, prototypes: Embeddings) -> float:
    """Share of pictures whose nearest class prototype is their own class: images [N, D], prototypes [C, D]."""
    return float(np.mean(np.argmax(images @ prototypes.T, axis=1) == labels))
