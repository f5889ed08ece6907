"""What `uo-isc-clip` sees with: clip-scenes, in the place of the CLIP of arXiv 2509.08913."""

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from shared.clip.in_torch import find_towers
from shared.clip.name import SCENES
from shared.clip.tower import SCENE_WIDTHS
from shared.codecs.answerers import Answerer
from shared.codecs.answerers.answerer import on_device
from shared.codecs.answerers.network import Features
from shared.codecs.query.sight import JUDGE, JudgeSight, Sight
from shared.datasets.scenes.words import to_text
from shared.errors import InvalidSetting


class ClipSight:
    """The towers of clip-scenes. The image tower goes where the pictures are; texts are few, each is read once."""

    name: str = SCENES

    def __init__(self) -> None:
        towers = find_towers(SCENES, None, download=False)
        self._visual: Any = on_device(towers.image, "cpu").eval().requires_grad_(False)
        text = towers.text()
        self._text, self._tokenize = text.model.eval().requires_grad_(False), text.tokenize
        self._mean, self._std = (torch.tensor(towers.settings[name]).view(1, 3, 1, 1) for name in ("mean", "std"))
        *_, fine, coarse = SCENE_WIDTHS
        self.channels = (fine, coarse, towers.dim)
        self.parts = (towers.fingerprint,)
        self._read = lru_cache(maxsize=4096)(self._embedded)

    def see(self, pictures: Tensor, words: Tensor) -> Features:
        """See `Sight`."""
        device = pictures.device
        pixels = (pictures - self._mean.to(device)) / self._std.to(device)
        *_, fine, coarse = self._visual.to(device).trunk.maps(pixels.contiguous(memory_format=torch.channels_last))
        return Features(fine, coarse, torch.stack([self._read(tuple(row)) for row in words.tolist()]).to(device))

    def _embedded(self, words: tuple[int, ...]) -> Tensor:
        """The text tower's embedding of a question, length 1: [D]."""
        with torch.autocast("cpu", enabled=False):
            embedding: Tensor = self._text.encode_text(self._tokenize([to_text(np.array(words))]), normalize=True)[0]
        return embedding


def sight_named(name: str, judge: Answerer) -> Sight:
    """The towers of the judge, or those of clip-scenes. Raises InvalidSetting for another name."""
    if name not in (JUDGE, SCENES):
        raise InvalidSetting(f"there is no tower {name!r}: choose {JUDGE} or {SCENES}")
    return JudgeSight(judge) if name == JUDGE else ClipSight()
