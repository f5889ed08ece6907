"""Made-up embeddings: clusters on the sphere."""

import numpy as np

from lab.data.codec_data import CodecData, LabelledEmbeddings, split_train

CLASSES = 10


def clusters(count: int, seed: int, dim: int = 512) -> LabelledEmbeddings:
    """Ten clusters, of which the first axes are the longest."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % CLASSES
    centres = np.random.default_rng(7).standard_normal((CLASSES, dim))
    points = centres[labels] + 0.5 * rng.standard_normal((count, dim)) * np.linspace(2, 0.05, dim)
    return LabelledEmbeddings((points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32), labels)


def clustered_data(count: int, dim: int = 512) -> CodecData:
    """Split as in the paper, with 300 queries and a knowledge base of 300."""
    collections = np.zeros(CLASSES, np.int64)
    return split_train(
        clusters(count, 0, dim), collections, 0, {"clusters": (clusters(300, 1, dim), clusters(300, 2, dim))}
    )
