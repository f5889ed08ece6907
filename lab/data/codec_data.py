"""Embeddings that a codec learns from and is judged by, split as in the first paper.

Of CIFAR-100's train split 40,000 to learn, 5,000 validation senders, 5,000 validation knowledge base; the drawn train
split in the same shares.
"""

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np

from lab.data.features import Features
from shared.types import Embeddings, Ints, Labels

_VALIDATION = 10  # one picture of ten sends, one of ten answers


class Named(Protocol):
    """A CLIP, or what is known of one."""

    @property
    def name(self) -> str:
        """Of the model."""

    @property
    def fingerprint(self) -> str:
        """Of weights and preprocessing."""


class LabelledEmbeddings(NamedTuple):
    """embeddings: [N, 512], float32, L2-normalised; labels: [N], int64."""

    embeddings: Embeddings
    labels: Labels

    def take(self, members: Ints | slice) -> "LabelledEmbeddings":
        """Some of them."""
        return LabelledEmbeddings(self.embeddings[members], self.labels[members])


Tests = dict[str, tuple[LabelledEmbeddings, LabelledEmbeddings]]
"""Data set name -> (queries, knowledge base), of pictures that neither CLIP nor codec learned from."""


@dataclass(frozen=True)
class CodecData:
    """What to learn from, and two pairs of senders and knowledge base to judge by.

    train: shuffled, labels 0 to C - 1; sender and kb: for early stopping
    collections: [C], which source each label comes from
    """

    train: LabelledEmbeddings
    collections: Labels
    sender: LabelledEmbeddings
    kb: LabelledEmbeddings
    tests: Tests

    @property
    def labelled(self) -> bool:
        """Whether there are at least two labels."""
        return len(self.collections) > 1

    def judged_by_item(self) -> "CodecData":
        """The same without labels: a sender is right when it finds the item that is the nearest to it."""
        nearest = (self.sender.embeddings @ self.kb.embeddings.T).argmax(axis=1)
        items = np.arange(len(self.kb.labels))
        return replace(self, sender=self.sender._replace(labels=nearest), kb=self.kb._replace(labels=items))

    @cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits of what is learned from."""
        return hashlib.sha256(self.train.embeddings.tobytes() + self.train.labels.tobytes()).hexdigest()[:16]

    def describe(self, clip: "Named") -> str:
        """Where the embeddings are from, for model cards."""
        learned, senders, items = (f"{len(part.labels):,}" for part in (self.train, self.sender, self.kb))
        return (
            f"Trained on embeddings of {clip.name} `{clip.fingerprint}`, and useful with no other: {learned} of the "
            f"train parts of {' and '.join(self.tests)}; of the rest {senders} are validation senders and {items} the "
            "validation knowledge base."
        )


def split_train(train: LabelledEmbeddings, collections: Labels, seed: int, tests: Tests) -> CodecData:
    """Shuffle and cut 80 % to learn, 10 % validation senders, 10 % validation knowledge base."""
    order = np.random.default_rng(seed).permutation(len(train.labels))
    share = len(order) // _VALIDATION
    sender, kb, learned = (train.take(part) for part in np.split(order, (share, 2 * share)))
    return CodecData(learned, collections, sender, kb, tests)


def merge(parts: list[Features]) -> tuple[LabelledEmbeddings, Labels]:
    """One set with numbers for labels, and which part holds each label: [C]. No two parts share a label's name."""
    names = np.concatenate([part.labels for part in parts])
    _, first, labels = np.unique(names, return_index=True, return_inverse=True)
    ends = np.cumsum([len(part.labels) for part in parts])
    embeddings = np.concatenate([part.embeddings for part in parts])
    return LabelledEmbeddings(embeddings, labels), np.searchsorted(ends, first, side="right")
