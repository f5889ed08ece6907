"""Embeddings that a codec learns from and is judged by, split as in the first paper.

Of CIFAR-100's train split 40,000 to learn, 5,000 validation senders, 5,000 validation knowledge base; the drawn train
split in the same shares.
"""

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lab.features import Features, Progress, extract_features, load_features, save_features
from shared.clip import Clip
from shared.datasets import PictureSource, open_source

Embeddings = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]

_VALIDATION = 10  # one picture of ten sends, one of ten answers
_MOST = {"cifar100": 50_000, "drawn": 20_000}  # pictures of each source; the drawn ones are easier


@dataclass(frozen=True)
class LabelledEmbeddings:
    """embeddings: [N, 512], float32, L2-normalised; labels: [N], int64."""

    embeddings: Embeddings
    labels: Labels


@dataclass(frozen=True)
class CodecData:
    """What to learn from, and two pairs of senders and knowledge base to judge by.

    train: [N, 512], shuffled; sender and kb: for early stopping
    tests: data set name -> (queries, knowledge base), of pictures that neither CLIP nor codec learned from
    """

    train: Embeddings
    sender: LabelledEmbeddings
    kb: LabelledEmbeddings
    tests: dict[str, tuple[LabelledEmbeddings, LabelledEmbeddings]]


def load_codec_data(clip: Clip, folder: Path, cache: Path, seed: int, progress: Progress | None = None) -> CodecData:
    """Embed CIFAR-100 and the drawn set, or take the embeddings from the cache.

    folder: CIFAR-100 in the official lay-out
    cache: folder for the embeddings, one file for each CLIP fingerprint, source and split
    """
    specs = {"cifar100": f"cifar100:{folder}", "drawn": "drawn"}
    train = _merge([_embed(spec, "train", clip, cache, progress) for spec in specs.values()])
    tests = {
        name: (_test_part(spec, "query", clip, cache), _test_part(spec, "kb", clip, cache))
        for name, spec in specs.items()
    }
    return split_train(train, seed, tests)


def split_train(
    train: LabelledEmbeddings, seed: int, tests: dict[str, tuple[LabelledEmbeddings, LabelledEmbeddings]]
) -> CodecData:
    """Shuffle and cut 80 % to learn, 10 % validation senders, 10 % validation knowledge base."""
    order = np.random.default_rng(seed).permutation(len(train.labels))
    share = len(order) // _VALIDATION
    sender, kb, rest = order[:share], order[share : 2 * share], order[2 * share :]
    return CodecData(train.embeddings[rest], _take(train, sender), _take(train, kb), tests)


def _embed(spec: str, split: str, clip: Clip, cache: Path, progress: Progress | None = None) -> Features:
    source: PictureSource = open_source(spec, split)
    path = cache / f"{clip.fingerprint}-{source.name}-{split}.npz"
    if not path.exists():
        save_features(path, extract_features(islice(source, _MOST[source.name]), clip, progress=progress))
    return load_features(path)


def _test_part(spec: str, split: str, clip: Clip, cache: Path) -> LabelledEmbeddings:
    features = _embed(spec, split, clip, cache)
    return LabelledEmbeddings(features.embeddings, np.unique(features.labels, return_inverse=True)[1])


def _merge(parts: list[Features]) -> LabelledEmbeddings:
    """One set; labels of different sources stay apart, since no two share a name."""
    embeddings = np.concatenate([part.embeddings for part in parts])
    labels = np.concatenate([part.labels for part in parts])
    return LabelledEmbeddings(embeddings, np.unique(labels, return_inverse=True)[1])


def _take(whole: LabelledEmbeddings, members: npt.NDArray[np.int64]) -> LabelledEmbeddings:
    return LabelledEmbeddings(whole.embeddings[members], whole.labels[members])
