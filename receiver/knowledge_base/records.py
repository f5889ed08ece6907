"""What a knowledge base holds and answers, as plain values."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Positions = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Origin:
    """Where the items come from.

    source: what they were built from, as the user named it
    clip: name of the CLIP model that embedded them
    clip_fingerprint: of that model's weights and preprocessing
    dim: values in an embedding
    """

    source: str
    clip: str
    clip_fingerprint: str
    dim: int = 512


@dataclass(frozen=True)
class Description:
    """A knowledge base in a few words.

    items, labels: how many, labels counted once
    fingerprint: of the content: CLIP, dimension, metric and each item's id, label, picture and embedding, in order
    engine: name of the index engine
    """

    source: str
    items: int
    labels: int
    clip: str
    clip_fingerprint: str
    fingerprint: str
    engine: str
    dim: int


@dataclass(frozen=True)
class Item:
    """One stored item.

    thumbnail: WebP, at most 96 pixels a side; empty for an item that came without a picture
    embedding: [dim], float32, unit length
    """

    item_id: str
    label: str
    thumbnail: bytes
    embedding: Floats
