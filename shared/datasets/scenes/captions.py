"""Sentences about scenes, for a CLIP that knows them."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from shared.datasets.scenes.categories import COLOUR_NAMES, SHAPE_NAMES
from shared.datasets.scenes.layout import Objects

COMBINATIONS: Final = len(SHAPE_NAMES) * len(COLOUR_NAMES)


def name_of(combination: int) -> str:
    """A shape in a colour, "a red heart". combination: its place in a mask [shapes, colours], row by row."""
    shape, colour = divmod(combination, len(COLOUR_NAMES))
    return _one(f"{COLOUR_NAMES[colour]} {SHAPE_NAMES[shape]}")


def names_of_shapes() -> list[str]:
    """Shapes alone, "a heart", in the order of `SHAPE_NAMES`."""
    return [_one(name) for name in SHAPE_NAMES]


def names_of_colours() -> list[str]:
    """Colours alone, "a red object", in the order of `COLOUR_NAMES`."""
    return [_one(f"{name} object") for name in COLOUR_NAMES]


def _one(thing: str) -> str:
    return f"{'an' if thing[0] in 'aeiou' else 'a'} {thing}"


def captions_of(objects: Objects) -> list[str]:
    """A caption of all that each scene shows, its objects in the order of their names."""
    return [caption_of(np.flatnonzero(shown).tolist()) for shown in objects.combinations()]


def caption_of(combinations: Sequence[int]) -> str:
    """What a scene shows, "a red heart, a blue ring and an orange star"; in the order given, one object at least."""
    *first, last = map(name_of, combinations)
    return f"{', '.join(first)} and {last}" if first else last
