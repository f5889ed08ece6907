"""Loads clip-tiny or any model that open_clip knows, from weights that are there."""

from shared.clip.model import Clip
from shared.clip.tiny import shipped_weights, tiny_towers
from shared.clip.tower import MODEL
from shared.clip.towers import Towers
from shared.device import resolve_device


def load_clip(
    model: str = MODEL,
    weights: str | None = None,
    device: str = "auto",
    precision: str = "auto",
    *,
    download: bool = False,
    engine: str = "torch",
) -> Clip:
    """Load a CLIP model.

    model: `clip-tiny`, or a name that open_clip knows, such as `ViT-B-32`
    weights: a file or a tag such as `openai`; None for clip-tiny's own
    device: `auto`, `cpu` or `cuda`
    precision: of the image tower: `auto`, `float32` or `bfloat16`
    engine: what runs the image tower: `auto`, `torch` or `openvino`. With `auto` the faster one is found by measuring
    download: fetch what the cache does not hold; without it, no network is touched
    """
    target = resolve_device(device)
    return Clip(_towers(model, weights, download), target, precision, engine)


def _towers(model: str, weights: str | None, download: bool) -> Towers:
    """clip-tiny as shipped without open_clip, which takes seconds to import; all else with it."""
    if (model, weights) == (MODEL, None):
        return tiny_towers(shipped_weights(), lambda: _by_open_clip(MODEL, None, download).text())
    return _by_open_clip(model, weights, download)


def _by_open_clip(model: str, weights: str | None, download: bool) -> Towers:
    from shared.clip.open_clip_models import open_clip_towers  # noqa: PLC0415

    return open_clip_towers(model, weights, download=download)
