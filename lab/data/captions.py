"""Captions of classes: the sentences that clip-tiny learns from and is asked with."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

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


class Captions:
    """Every caption of every class, tokenized once.

    tokens: [classes, templates, context], int64
    """

    def __init__(self, names: Sequence[str], tokenizer: Tokenizer) -> None:
        sentences = [template.format(name) for name in names for template in TEMPLATES]
        self.tokens = tokenizer(sentences).reshape(len(names), len(TEMPLATES), -1)

    def sample(self, rng: np.random.Generator) -> Tensor:
        """One random caption for each class: [classes, context], int64."""
        classes = len(self.tokens)
        return self.tokens[torch.arange(classes), torch.from_numpy(rng.integers(len(TEMPLATES), size=classes))]
