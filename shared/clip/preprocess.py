"""Pictures of any size to those that an image tower takes: open_clip's own transform without its last two steps.

Scaling to [0, 1] and normalising by mean and deviation are left to the batch, so a picture waits as bytes.
"""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from PIL import Image

from shared.errors import InvalidInput
from shared.types import Pixels

Preprocess = Callable[[Image.Image], Pixels]

_TO_BATCH = 2  # ToTensor and Normalize
_FILTERS: Final = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}


def make_preprocess(settings: dict[str, Any]) -> Preprocess:
    """The transform of a picture of any size to [S, S, 3], uint8, RGB.

    The usual one, shorter side to S and the middle of the longer one, needs nothing but Pillow, and gives the same
    bytes as open_clip's, which imports torchvision. settings: open_clip's `preprocess_cfg` of a model
    """
    sides, kind = _sides(settings["size"]), settings["interpolation"]
    if settings["resize_mode"] == "shortest" and sides[0] == sides[1] and kind in _FILTERS:
        return lambda image: _middle(image, sides[0], _FILTERS[kind])
    return _of_open_clip(settings)


def side_of(settings: dict[str, Any]) -> int:
    """Side S of the square pictures that a model takes. Raises InvalidInput for one that takes others."""
    sides = set(_sides(settings["size"]))
    if len(sides) != 1:
        raise InvalidInput(f"SemLink takes models with square pictures, this one takes {settings['size']}.")
    return int(sides.pop())


def _sides(size: Any) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else tuple(size)


def _middle(image: Image.Image, side: int, kind: Image.Resampling) -> Pixels:
    """As torchvision's Resize and CenterCrop do it, with their roundings: [S, S, 3], uint8."""
    shorter, longer = sorted(image.size)
    if shorter != side:
        other = int(side * longer / shorter)
        image = image.resize((side, other) if image.width <= image.height else (other, side), kind)
    left, top = (round((length - side) / 2) for length in image.size)
    return np.array(image.crop((left, top, left + side, top + side)).convert("RGB"))


def _of_open_clip(settings: dict[str, Any]) -> Preprocess:
    from open_clip.transform import PreprocessCfg, image_transform_v2  # noqa: PLC0415 - takes seconds to import
    from torchvision.transforms import Compose, Normalize  # noqa: PLC0415

    steps = image_transform_v2(PreprocessCfg(**settings), is_train=False).transforms
    if not isinstance(steps[-1], Normalize):
        raise TypeError(f"open_clip's transform ends in {steps[-1]}, not in Normalize; this version is not supported.")
    resize = Compose(steps[:-_TO_BATCH])
    return lambda image: np.array(resize(image))  # its own memory: torch takes no read-only view
