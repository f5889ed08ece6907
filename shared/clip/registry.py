"""Makes `clip-tiny` known to open_clip: its configuration and, by importing the tower, its image tower."""

from functools import cache
from pathlib import Path

import open_clip

import shared.clip.tower  # noqa: F401  registers semlink_resnet10 with timm

MODEL = "clip-tiny"


@cache
def register_clip_tiny() -> None:
    """Tell open_clip about clip-tiny; once is enough."""
    open_clip.add_model_config(Path(__file__).with_name(f"{MODEL}.json"))
