"""CLIP as the codec sees it: hidden states of several layers of the image tower, and an embedding of each question.

pictures [B, 3, S, S] in [0, 1] --scale, normalise, tower--> L hidden states [B, N, C], N = cells of a square
questions --text tower--> t [B, D]
"""

from collections.abc import Sequence
from math import isqrt
from typing import Any, Final, Protocol

import open_clip
import torch
from torch import Tensor
from torch.nn import functional as F

from lab.vqa.pretrained import pretrained, require_transformers
from shared.errors import InvalidSetting

LAYERS: Final = 3


class Vision(Protocol):
    """A frozen CLIP. cells: across and down. channels: of hidden states. words: dimensions of a question."""

    cells: int
    channels: int
    words: int

    def see(self, pictures: Tensor) -> list[Tensor]:
        """Hidden states [B, cells^2, channels] of `LAYERS` layers, spread over the tower, of pictures in [0, 1]."""

    def read(self, questions: Sequence[str]) -> Tensor:
        """Embeddings of questions: [B, words]."""


def load_vision(name: str, size: int, device: str = "cpu", *, download: bool = False) -> Vision:
    """A network of transformers (OWNER/NAME, or a folder), or open_clip:MODEL[:WEIGHTS]. size: of the pictures."""
    if name.startswith("open_clip:"):
        return _OfOpenClip(name.removeprefix("open_clip:"), device)
    return _OfTransformers(name, size, device, download=download)


class _OfTransformers:
    """CLIP, CLIPSeg, SigLIP or another with the towers `vision_model` and `text_model`."""

    def __init__(self, name: str, size: int, device: str, *, download: bool) -> None:
        require_transformers()
        from transformers import AutoImageProcessor, AutoModel, AutoTokenizer  # noqa: PLC0415 - an extra

        self._model = pretrained(AutoModel.from_pretrained, name, download=download).to(device).eval()
        if not hasattr(self._model, "vision_model") or not hasattr(self._model, "get_text_features"):
            raise InvalidSetting(f"vision = {name}: a {type(self._model).__name__} has no towers of CLIP; give a CLIP")
        self._model.requires_grad_(False)
        self._tokenizer = pretrained(AutoTokenizer.from_pretrained, name, download=download)
        processor = pretrained(AutoImageProcessor.from_pretrained, name, download=download)
        self._norm = _norm(processor.image_mean, processor.image_std, device)
        patch = self._model.config.vision_config.patch_size
        self._size, self.cells = size // patch * patch, size // patch
        self.channels = self._model.config.vision_config.hidden_size
        self.words = self.read(["a"]).shape[1]

    def see(self, pictures: Tensor) -> list[Tensor]:
        pixels = (_scaled(pictures, self._size) - self._norm[0]) / self._norm[1]
        states = self._model.vision_model(
            pixel_values=pixels, output_hidden_states=True, interpolate_pos_encoding=True
        ).hidden_states
        return [states[layer][:, -(self.cells**2) :].float() for layer in _layers(len(states) - 1)]

    def read(self, questions: Sequence[str]) -> Tensor:
        longest = self._model.config.text_config.max_position_embeddings
        words = self._tokenizer(list(questions), padding=True, truncation=True, max_length=longest, return_tensors="pt")
        found: Any = self._model.get_text_features(
            input_ids=words.input_ids.to(self._norm.device), attention_mask=words.attention_mask.to(self._norm.device)
        )
        embedded: Tensor = found if isinstance(found, Tensor) else found.pooler_output
        return embedded.float()


class _OfOpenClip:
    """A model of open_clip at its own picture size; weights: a tag, a file, or none for random ones."""

    def __init__(self, name: str, device: str) -> None:
        model, _, weights = name.partition(":")
        self._model = open_clip.create_model(model, pretrained=weights or None, device=device).eval()
        self._model.requires_grad_(False)
        self._tokenizer = open_clip.get_tokenizer(model)
        visual = self._model.visual
        self._norm = _norm(visual.image_mean, visual.image_std, device)
        side = visual.image_size
        self._size = side if isinstance(side, int) else side[0]
        states = self._states(torch.zeros(1, 3, self._size, self._size, device=device))
        self._depth, self.channels, self.cells = len(states), states[0].shape[2], isqrt(states[0].shape[1])
        self.words = self.read(["a"]).shape[1]

    def see(self, pictures: Tensor) -> list[Tensor]:
        states = self._states((_scaled(pictures, self._size) - self._norm[0]) / self._norm[1])
        return [states[layer - 1].float() for layer in _layers(len(states))]

    def _states(self, pixels: Tensor) -> list[Tensor]:
        found = self._model.forward_intermediates(image=pixels, image_output_fmt="NLC")
        states: list[Tensor] = found["image_intermediates"]
        return states

    def read(self, questions: Sequence[str]) -> Tensor:
        embedded: Tensor = self._model.encode_text(self._tokenizer(list(questions)).to(self._norm.device))
        return embedded.float()


def _layers(depth: int) -> list[int]:
    """Layers, counted from 1, that are spread over a tower; the last one among them."""
    return [max(1, round(depth * (number + 1) / LAYERS)) for number in range(LAYERS)]


def _scaled(pictures: Tensor, size: int) -> Tensor:
    return F.interpolate(pictures, (size, size), mode="bicubic", antialias=True).clamp(0, 1)


def _norm(mean: Sequence[float], std: Sequence[float], device: str) -> Tensor:
    return torch.tensor([mean, std], device=device)[:, None, :, None, None].float()
