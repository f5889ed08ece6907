"""Preprocessing of one picture: open_clip's own evaluation transform without its last two steps.

Scaling to [0, 1] and normalising by mean and deviation are left to the batch, so a picture waits as bytes.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image
from torchvision.transforms import Compose, Normalize

from shared.types import Pixels

Preprocess = Callable[[Image.Image], Pixels]

_TO_BATCH = 2  # ToTensor and Normalize


def make_preprocess(settings: dict[str, Any]) -> Preprocess:
    """The transform of a picture of any size to [S, S, 3], uint8, RGB.

    settings: open_clip's `preprocess_cfg` of a model
    """
    steps = image_transform_v2(PreprocessCfg(**settings), is_train=False).transforms
    if not isinstance(steps[-1], Normalize):
        raise TypeError(f"open_clip's transform ends in {steps[-1]}, not in Normalize; this version is not supported.")
    resize = Compose(steps[:-_TO_BATCH])

    def preprocess(image: Image.Image) -> Pixels:
        return np.array(resize(image))  # its own memory: torch takes no read-only view

    return preprocess
