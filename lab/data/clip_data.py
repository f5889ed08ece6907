"""What clip-tiny learns from: pictures of CIFAR-100 and of the drawn set, one set of 200 classes, and captions."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import v2

from shared.clip.preprocess import Preprocess
from shared.datasets.cifar100 import read_cifar100
from shared.datasets.drawn import CATEGORIES, draw_batch, split_length
from shared.types import Labels, Pixels

TEMPLATES: tuple[str, ...] = (
    "{}",
    "a {}",
    "a photo of a {}",
    "a picture of the {}",
    "an image of one {}",
    "a small picture of a {}",
    "a blurry photo of the {}",
    "this is a {}",
)

Tokenizer = Callable[[list[str]], Tensor]


def augmentation(side: int) -> v2.Transform:
    """A shifted crop, a mirror image, a grey hole of 8 x 8 pixels; never colour. For one picture [3, S, S], uint8."""
    share = (8 / side) ** 2
    return v2.Compose(
        [
            v2.RandomCrop(side, padding=4, padding_mode="reflect"),
            v2.RandomHorizontalFlip(),
            v2.RandomErasing(p=1, scale=(share, share), ratio=(1, 1), value=118),  # the mean grey
        ]
    )


class ClipData:
    """Training batches and evaluation pictures, all at the tower's size.

    names: the 100 classes of CIFAR-100, then the 100 of the drawn set
    """

    def __init__(self, folder: str | Path, preprocess: Preprocess, drawn_per_epoch: int) -> None:
        self._folder, self._preprocess, self._drawn_per_epoch = folder, preprocess, drawn_per_epoch
        self._cifar = read_cifar100(folder, "train")
        self.names: tuple[str, ...] = self._cifar.names + CATEGORIES
        self.cifar_classes = len(self._cifar.names)
        self._shown: dict[str, tuple[Pixels, Labels]] = {}

    def __len__(self) -> int:
        """Pictures of one epoch."""
        return len(self._cifar.targets) + self._drawn_per_epoch

    def epoch(self, number: int, count: int, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Augmented batches [B, 3, S, S] uint8 and [B] int64; every epoch has drawn pictures of its own.

        count: how many pictures of the epoch to take, at random, by torch's generator
        """
        drawn, drawn_targets = self._draw("train", number * self._drawn_per_epoch, self._drawn_per_epoch)
        pixels = torch.from_numpy(np.concatenate([self._cifar.pixels, drawn])).permute(0, 3, 1, 2)
        targets = torch.from_numpy(np.concatenate([self._cifar.targets, drawn_targets]))
        augment = augmentation(pixels.shape[2])
        for members in torch.split(torch.randperm(len(self))[:count], batch_size):
            yield torch.stack([augment(picture) for picture in pixels[members]]), targets[members]

    def cifar(self, split: str) -> tuple[Pixels, Labels]:
        """The `kb` or `query` half of CIFAR-100's test part."""
        part = read_cifar100(self._folder, split)
        return part.pixels, part.targets

    def drawn(self, split: str) -> tuple[Pixels, Labels]:
        """The `kb` or `query` part of the drawn set; drawn once, for the figures of every epoch."""
        if split not in self._shown:
            self._shown[split] = self._draw(split, 0, split_length(split))
        return self._shown[split]

    def _draw(self, split: str, start: int, count: int) -> tuple[Pixels, Labels]:
        pictures, categories = draw_batch(split, np.arange(start, start + count))
        pixels = np.stack([self._preprocess(Image.fromarray(picture)) for picture in pictures])
        return pixels, categories + self.cifar_classes


class Captions:
    """Every caption of every class, tokenized once.

    tokens: [classes, templates, context], int64
    """

    def __init__(self, names: Sequence[str], tokenizer: Tokenizer) -> None:
        sentences = [template.format(name) for name in names for template in TEMPLATES]
        self.tokens = tokenizer(sentences).reshape(len(names), len(TEMPLATES), -1)

    def sample(self) -> Tensor:
        """One random caption for each class, by torch's generator: [classes, context], int64."""
        classes = len(self.tokens)
        return self.tokens[torch.arange(classes), torch.randint(len(TEMPLATES), (classes,))]
