"""Collections that we draw ourselves while one walks over them: single shapes, and scenes of several."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from shared.datasets import drawn, scenes
from shared.datasets.picture import Picture
from shared.datasets.scenes.captions import captions_of
from shared.errors import InvalidSetting
from shared.types import Pixels

_CHUNK: Final = 100  # pictures made together
_SCENES: Final = {"kb": (0, 2000), "query": (1 << 20, 500)}
"""Of each part the first scene and how many; trainings see none of them, and no other split has them."""


class PaintedSource(ABC):
    """Pictures that depend on their number alone. name, labels: see `PictureSource`."""

    name: str
    labels: tuple[str, ...]

    def __init__(self, split: str, length: int) -> None:
        self.split, self._length = split, length

    def __len__(self) -> int:
        return self._length

    @abstractmethod
    def item_labels(self) -> Iterator[str]:
        """Label of each picture, in their order; nothing is drawn."""

    @abstractmethod
    def _draw(self, indices: range) -> Pixels:
        """Pictures [N, 64, 64, 3]."""

    def __iter__(self) -> Iterator[Picture]:
        told = self.item_labels()
        for start in range(0, self._length, _CHUNK):
            indices = range(start, min(start + _CHUNK, self._length))
            for index, pixels in zip(indices, self._draw(indices), strict=True):
                yield Picture(f"{self.name}/{self.split}/{index:05d}", next(told), pixels)


class DrawnSource(PaintedSource):
    """The drawn set: single shapes."""

    name = "drawn"
    labels = drawn.CATEGORIES

    def __init__(self, split: str, seed: int = drawn.SEED) -> None:
        super().__init__(split, drawn.split_length(split))
        self._seed = seed

    def item_labels(self) -> Iterator[str]:
        """See `PaintedSource`."""
        return (self.labels[index % len(self.labels)] for index in range(self._length))

    def _draw(self, indices: range) -> Pixels:
        return drawn.draw_batch(self.split, indices, self._seed)[0]


class ScenesSource(PaintedSource):
    """Scenes of several shapes in all combinations; the label of one is a caption of all that it shows."""

    name = "scenes"

    def __init__(self, split: str) -> None:
        if split not in _SCENES:
            raise InvalidSetting(f"the scenes have no part {split!r}: choose {' or '.join(_SCENES)}")
        self._first, length = _SCENES[split]
        super().__init__(split, length)
        self._captions: Sequence[str] = captions_of(scenes.arrange_scenes("train", self._numbers(range(length))))
        self.labels = tuple(dict.fromkeys(self._captions))

    def item_labels(self) -> Iterator[str]:
        """See `PaintedSource`."""
        return iter(self._captions)

    def _draw(self, indices: range) -> Pixels:
        return scenes.draw_scenes("train", self._numbers(indices)).pixels

    def _numbers(self, indices: range) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
        return self._first + np.asarray(indices, np.int64)
