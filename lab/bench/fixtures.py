"""What a benchmark runs on: pictures, a model, a knowledge base of a set size."""

from itertools import islice
from pathlib import Path

import numpy as np

from receiver.knowledge_base import Origin, write_store
from shared.clip import Clip
from shared.datasets import open_source


def bench_pictures(count: int = 200) -> list[bytes]:
    """PNG files of the drawn set's query part."""
    return [picture.encoded() for picture in islice(open_source("drawn", "query"), count)]


def random_knowledge_base(directory: Path, clip: Clip, items: int = 5000) -> None:
    """A knowledge base of random unit vectors: speed does not depend on what they mean, and nothing is embedded."""
    vectors = np.random.default_rng(0).standard_normal((items, clip.dim)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    with write_store(directory, Origin("random vectors", clip.name, clip.fingerprint, clip.dim)) as store:
        for number, vector in enumerate(vectors):
            store.add(f"random/{number}", str(number % 100), vector)


def random_weights(directory: Path, model: str) -> str:
    """A checkpoint of `model` with random weights, for machines that have no trained ones; the file's path."""
    import open_clip  # noqa: PLC0415 - seconds, and only this needs it
    import torch  # noqa: PLC0415

    torch.manual_seed(0)
    path = directory / f"{model}-random.pt"
    torch.save(open_clip.create_model(model).state_dict(), path)
    return str(path)
