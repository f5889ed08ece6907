"""CLIP models whose weights torch holds: clip-tiny and any that open_clip knows."""

from collections.abc import Callable
from functools import cache

import numpy as np
import torch

from shared.clip.choice import choose_engine
from shared.clip.engine import ImageTower
from shared.clip.model import Clip, EmbedTexts, Engine
from shared.clip.name import MODEL
from shared.clip.shipped import shipped_weights
from shared.clip.tiny import tiny_towers
from shared.clip.towers import TextTower, Towers
from shared.types import Embeddings


def clip_of_weights(
    model: str, weights: str | None, device: str, precision: str, *, download: bool, engine: str
) -> Clip:
    """Load a model on a device, `cpu` or `cuda`; see `load_clip`."""
    towers = find_towers(model, weights, download=download)
    return Clip(towers.about, device, _engine(towers, device, engine, precision), _texts(towers.text, device))


def tiny_texts() -> EmbedTexts:
    """The text tower of clip-tiny, on the processor."""
    return _texts(find_towers(MODEL, None, download=False).text, "cpu")


def find_towers(model: str, weights: str | None, *, download: bool) -> Towers:
    """clip-tiny as shipped without open_clip, which takes seconds to import; all else with it."""
    if (model, weights) == (MODEL, None):
        return tiny_towers(shipped_weights(MODEL), lambda: _by_open_clip(MODEL, None, download).text())
    return _by_open_clip(model, weights, download)


def _by_open_clip(model: str, weights: str | None, download: bool) -> Towers:
    from shared.clip.open_clip_models import open_clip_towers  # noqa: PLC0415

    return open_clip_towers(model, weights, download=download)


def image_tower(towers: Towers) -> ImageTower:
    """The tower between bytes and unit vectors, on the processor."""
    return ImageTower(towers.image.eval().requires_grad_(False), towers.settings)


def _engine(towers: Towers, device: str, engine: str, precision: str) -> Engine:
    tower = image_tower(towers).to(device)
    grey = np.full((8, tower.image_size, tower.image_size, 3), 128, np.uint8)
    return choose_engine(tower, grey, engine, precision, towers.fingerprint)


def _texts(load: Callable[[], TextTower], device: str) -> EmbedTexts:
    """The text tower in torch, in float32; it is loaded with the first text."""

    @cache
    def loaded() -> TextTower:
        tower = load()
        return tower._replace(model=tower.model.eval().requires_grad_(False).to(device))

    @torch.inference_mode()
    def embed(texts: list[str]) -> Embeddings:
        tokens = loaded().tokenize(texts).to(device)
        embeddings: Embeddings = loaded().model.encode_text(tokens, normalize=True).float().cpu().numpy()
        return embeddings

    return embed
