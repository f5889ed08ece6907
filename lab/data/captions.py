"""Captions of classes, for training and zero-shot evaluation of clip-tiny."""

from collections.abc import Callable, Sequence

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

    def sample(self) -> Tensor:
        """One random caption for each class, by torch's generator: [classes, context], int64."""
        classes = len(self.tokens)
        return self.tokens[torch.arange(classes), torch.randint(len(TEMPLATES), (classes,))]
