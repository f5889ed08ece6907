"""Embeddings that a codec learns from and is judged by, split as in the first paper.

Of CIFAR-100's train split 40,000 to learn, 5,000 validation senders, 5,000 validation knowledge base; the drawn train
split in the same shares.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from lab.data.features import Features, cached_features, check_apart, training_source
from shared.clip import Clip
from shared.datasets import open_source
from shared.types import Embeddings, Ints, Labels, Progress

_VALIDATION = 10  # one picture of ten sends, one of ten answers


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

    @cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits of what is learned from."""
        return hashlib.sha256(self.train.tobytes() + self.train_labels.tobytes()).hexdigest()[:16]

    def describe(self, clip: Clip) -> str:
        """Where the embeddings are from, for model cards."""
        sources = " and ".join(self.tests)
        return (
            f"Trained on embeddings of {clip.name} `{clip.fingerprint}`, and useful with no other: {len(self.train):,} "
            f"of the train parts of {sources}; of the rest {len(self.sender.labels):,} are validation senders and "
            f"{len(self.kb.labels):,} the validation knowledge base."
        )


def load_codec_data(
    clip: Clip, data: str, cache: Path, seed: int, *, drawn: bool = True, progress: Progress | None = None
) -> CodecData:
    """Embed pictures, or take their embeddings from the cache.

    data: CIFAR-100 or any other source with the parts `train`, `query` and `kb`. drawn: learn from the drawn set too,
    and be judged by it. cache: folder of `cached_features`. Raises Mismatch where the train part holds test pictures.
    """
    specs = [data, *(["drawn"] if drawn else [])]
    parts, tests = [], {}
    for spec in specs:
        sources = (training_source(spec), open_source(spec, "query"), open_source(spec, "kb"))
        train, query, kb = (cached_features(source, clip, cache, progress) for source in sources)
        check_apart(query, train)
        check_apart(kb, train)
        parts.append(train)
        tests[sources[0].name] = (_numbered(query), _numbered(kb))
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


def _numbered(features: Features) -> LabelledEmbeddings:
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


def _take(whole: LabelledEmbeddings, members: Ints) -> LabelledEmbeddings:
    return LabelledEmbeddings(whole.embeddings[members], whole.labels[members])
