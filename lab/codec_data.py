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

    train: [N, 512], shuffled, train_labels: [N], 0 to C - 1; sender and kb: for early stopping
    collections: [C], which source each label comes from
    tests: data set name -> (queries, knowledge base), of pictures that neither CLIP nor codec learned from
    """

    train: Embeddings
    train_labels: Labels
    collections: Labels
    sender: LabelledEmbeddings
    kb: LabelledEmbeddings
    tests: dict[str, tuple[LabelledEmbeddings, LabelledEmbeddings]]


def load_codec_data(clip: Clip, folder: Path, cache: Path, seed: int, progress: Progress | None = None) -> CodecData:
    """Embed CIFAR-100 and the drawn set, or take the embeddings from the cache.

    folder: CIFAR-100 in the official lay-out
    cache: folder for the embeddings, one file for each CLIP fingerprint, source and split
    """
    specs = {"cifar100": f"cifar100:{folder}", "drawn": "drawn"}
    parts = [_embed(spec, "train", clip, cache, progress) for spec in specs.values()]
    tests = {
        name: (_test_part(spec, "query", clip, cache), _test_part(spec, "kb", clip, cache))
        for name, spec in specs.items()
    }
    return split_train(_merge(parts), seed, tests, _collections(parts))


def split_train(
    train: LabelledEmbeddings,
    seed: int,
    tests: dict[str, tuple[LabelledEmbeddings, LabelledEmbeddings]],
    collections: Labels | None = None,
) -> CodecData:
    """Shuffle and cut 80 % to learn, 10 % validation senders, 10 % validation knowledge base.

    collections: as in `CodecData`; None puts all labels into one
    """
    order = np.random.default_rng(seed).permutation(len(train.labels))
    share = len(order) // _VALIDATION
    sender, kb, rest = order[:share], order[share : 2 * share], order[2 * share :]
    if collections is None:
        collections = np.zeros(int(train.labels.max()) + 1, np.int64)
    learned = _take(train, rest)
    return CodecData(learned.embeddings, learned.labels, collections, _take(train, sender), _take(train, kb), tests)


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


def _collections(parts: list[Features]) -> Labels:
    """Which part holds each label, labels in the order that `_merge` numbers them in: [C]."""
    names, first = np.unique(np.concatenate([part.labels for part in parts]), return_index=True)
    ends = np.cumsum([len(part.labels) for part in parts])
    found: Labels = np.searchsorted(ends, first, side="right")[: len(names)]
    return found


def _take(whole: LabelledEmbeddings, members: npt.NDArray[np.int64]) -> LabelledEmbeddings:
    return LabelledEmbeddings(whole.embeddings[members], whole.labels[members])
