"""The two towers of a CLIP model, as they come from a file of weights."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from shared.clip.model import About


class TextTower(NamedTuple):
    """model: what has open_clip's `encode_text`. tokenize: sentences to int64 [B, context]."""

    model: Any
    tokenize: Callable[[list[str]], Tensor]


@dataclass(frozen=True)
class Towers:
    """A model that is read but not yet on its device.

    settings: open_clip's `preprocess_cfg`. dim: length of an embedding. fingerprint: see `fingerprint_of_model`.
    parameters: of both towers. text: loads the text tower.
    """

    name: str
    settings: dict[str, Any]
    dim: int
    fingerprint: str
    parameters: int
    image: nn.Module
    text: Callable[[], TextTower]

    @property
    def about(self) -> About:
        """What is known of it without torch."""
        return About(self.name, self.fingerprint, self.dim, self.parameters, self.settings)


def fingerprint_of_model(name: str, settings: dict[str, Any], state: Mapping[str, Tensor]) -> str:
    """16 hexadecimal digits that tell one set of weights and preprocessing from another. state: of the whole model."""
    digest = hashlib.sha256(json.dumps([name, settings], sort_keys=True).encode())
    for key, tensor in sorted(state.items()):
        digest.update(f"{key} {list(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()[:16]
