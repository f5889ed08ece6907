"""What runs an image tower: torch, or OpenVINO on a processor; in float32 or bfloat16.

pixels uint8 [B, S, S, 3] --normalise--> tower --> float32 [B, D], length 1
"""

import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from shared.clip.preprocess import side_of
from shared.types import Embeddings, Pixels


class ImageTower(nn.Module):
    """An image tower of open_clip between bytes and unit vectors.

    settings: open_clip's `preprocess_cfg` of it. image_size: side S of the pictures that it takes, in pixels.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, tower: nn.Module, settings: dict[str, Any]) -> None:
        super().__init__()
        self.image_size = side_of(settings)
        self.tower = tower.to(memory_format=torch.channels_last)
        mean, std = (torch.tensor(settings[name]).view(1, 3, 1, 1) for name in ("mean", "std"))
        self.register_buffer("scale", 1 / (255 * std))
        self.register_buffer("shift", -mean / std)
        self.dtype = torch.float32

    def forward(self, pixels: Tensor) -> Tensor:
        """[B, S, S, 3], uint8, channels-last in memory, to [B, D], float32, L2-normalised."""
        images = pixels.permute(0, 3, 1, 2).float() * self.scale + self.shift
        return nn.functional.normalize(self.tower(images.to(self.dtype)).float(), dim=-1)

    def in_bfloat16(self) -> "ImageTower":
        """A copy in bfloat16 but for batch norm, whose running statistics need the digits.

        The tower is cast as a whole: autocast converts the weights anew on every call and was slower than float32 on
        ViT-B/32.
        """
        half = copy.deepcopy(self)
        half.dtype = torch.bfloat16
        half.tower.to(torch.bfloat16)
        for module in half.tower.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.float()
        return half


class TorchEngine:
    """A tower run by torch, on its device."""

    name = "torch"

    def __init__(self, tower: ImageTower) -> None:
        self.precision = str(tower.dtype).removeprefix("torch.")
        self._tower = tower

    @torch.inference_mode()
    def __call__(self, pixels: Pixels) -> Embeddings:
        """Embed pictures; see `Engine`."""
        given = torch.from_numpy(np.require(pixels, requirements=["C", "W"])).to(self._tower.scale.device)
        embeddings: Embeddings = self._tower(given).cpu().numpy()
        return embeddings
