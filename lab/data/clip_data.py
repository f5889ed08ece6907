"""What clip-tiny learns from: CIFAR-100's train split and fresh drawn pictures, as one set of 200 classes."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from lab.data.augmentation import augment, pad
from shared.clip.preprocess import Preprocess
from shared.datasets.cifar100 import read_cifar100
from shared.datasets.drawn import CATEGORIES, draw_batch, split_length
from shared.types import Labels, Pixels


class ClipData:
    """Training batches and evaluation pictures, all at the tower's size.

    names: the 100 classes of CIFAR-100, then the 100 of the drawn set
    """

    def __init__(self, folder: Path, preprocess: Preprocess, drawn_per_epoch: int) -> None:
        self._folder, self._preprocess, self._drawn_per_epoch = folder, preprocess, drawn_per_epoch
        cifar = read_cifar100(folder, "train")
        self._padded, self._targets = pad(cifar.pixels), cifar.targets
        self.names: tuple[str, ...] = cifar.names + CATEGORIES
        self.cifar_classes = len(cifar.names)

    def steps(self, batch_size: int) -> int:
        """Batches of one epoch."""
        return (len(self._targets) + self._drawn_per_epoch) // batch_size

    def epoch(self, epoch: int, batch_size: int, rng: np.random.Generator) -> Iterator[tuple[Pixels, Labels]]:
        """Augmented batches [B, S, S, 3] uint8 and [B] int64; every epoch draws pictures never seen before."""
        drawn, drawn_targets = self._draw("train", epoch * self._drawn_per_epoch, self._drawn_per_epoch)
        padded = np.concatenate([self._padded, pad(drawn)])
        targets = np.concatenate([self._targets, drawn_targets])
        order = rng.permutation(len(targets))
        for step in range(self.steps(batch_size)):
            members = order[step * batch_size : (step + 1) * batch_size]
            yield augment(padded, members, rng), targets[members]

    def cifar(self, split: str) -> tuple[Pixels, Labels]:
        """The `kb` or `query` half of CIFAR-100's test part."""
        part = read_cifar100(self._folder, split)
        return part.pixels, part.targets

    def drawn(self, split: str) -> tuple[Pixels, Labels]:
        """The `kb` or `query` part of the drawn set."""
        return self._draw(split, 0, split_length(split))

    def _draw(self, split: str, start: int, count: int) -> tuple[Pixels, Labels]:
        pictures, categories = draw_batch(split, np.arange(start, start + count))
        pixels = np.stack([self._preprocess(Image.fromarray(picture)) for picture in pictures])
        return pixels, categories + self.cifar_classes
