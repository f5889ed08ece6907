"""The image towers of the CLIPs that ship: small residual networks, made known to timm and open_clip on demand, since
importing the two takes seconds.

                3 -stem-> 32 -stage-> 64 -stage-> 160 -stage-> 320 -global max-> 320 features
    clip-tiny     32x32     32x32      16x16      8x8           4x4
    clip-scenes   64x64     64x64      32x32      16x16         8x8      with 32, 64, 128 and 192 channels

A stage is conv, max-pool, batch norm, ReLU and then a residual pair of convolutions; all convolutions are 3 x 3.
"""

from collections import OrderedDict
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from shared.clip.name import SHIPPED

WIDTHS = (32, 64, 160, 320)
SCENE_WIDTHS = (32, 64, 128, 192)


def _conv(in_channels: int, out_channels: int) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1, bias=False)


class Stage(nn.Module):
    """Halve the resolution, then refine with one residual pair: [B, C, H, W] -> [B, D, H/2, W/2]."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = _conv(in_channels, out_channels)
        self.norm = nn.BatchNorm2d(out_channels)
        self.residual = nn.Sequential(
            _conv(out_channels, out_channels),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
            _conv(out_channels, out_channels),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Features of features."""
        pooled = torch.relu(self.norm(nn.functional.max_pool2d(self.conv(x), 2)))
        refined: Tensor = pooled + self.residual(pooled)
        return refined


class TinyResNet(nn.Module):
    """A trunk, with the attributes that open_clip's timm adapter asks for: [B, 3, side, side] -> [B, widths[-1]]."""

    def __init__(self, widths: tuple[int, ...] = WIDTHS, side: int = 32) -> None:
        super().__init__()
        self.num_features = widths[-1]
        self.default_cfg = {"input_size": (3, side, side), "pool_size": (side // 8, side // 8)}
        self.stem = nn.Sequential(_conv(3, widths[0]), nn.BatchNorm2d(widths[0]), nn.ReLU(inplace=True))
        self.stages = nn.Sequential(*(Stage(a, b) for a, b in pairwise(widths)))

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Take only what this trunk has: no classifier and global max-pooling."""
        if num_classes or global_pool not in (None, "max"):
            raise ValueError(f"This trunk has no classifier and pools by max; got {num_classes}, {global_pool!r}.")

    def maps(self, x: Tensor) -> list[Tensor]:
        """What each stage makes of normalised pictures: [B, C, H, W], coarser and coarser."""
        found = [self.stem(x)]
        for stage in self.stages:
            found.append(stage(found[-1]))
        return found[1:]

    def forward(self, x: Tensor) -> Tensor:
        """Features of normalised pictures."""
        features: Tensor = self.stages(self.stem(x)).amax(dim=(2, 3))
        return features


class TinyTower(nn.Module):
    """Trunk and projection under the names of open_clip's adapter: [B, 3, 32, 32] -> [B, dim]."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.trunk = TinyResNet()
        self.head = nn.Sequential(OrderedDict(proj=nn.Linear(self.trunk.num_features, dim, bias=False)))

    def forward(self, x: Tensor) -> Tensor:
        """Embeddings of normalised pictures, not yet of length 1."""
        embeddings: Tensor = self.head(self.trunk(x))
        return embeddings


def semlink_resnet10(pretrained: bool = False, **_: Any) -> TinyResNet:
    """Make the trunk of clip-tiny for timm."""
    _refuse_pretrained(pretrained)
    return TinyResNet()


def semlink_resnet10_scenes(pretrained: bool = False, **_: Any) -> TinyResNet:
    """Make the trunk of clip-scenes for timm."""
    _refuse_pretrained(pretrained)
    return TinyResNet(SCENE_WIDTHS, 64)


def _refuse_pretrained(pretrained: bool) -> None:
    if pretrained:
        raise ValueError(f"This trunk has no weights of its own; load {' or '.join(SHIPPED)}.")


@cache
def register_shipped() -> None:
    """Tell timm and open_clip about the CLIPs that ship; once is enough."""
    import open_clip  # noqa: PLC0415
    from timm.models import register_model  # noqa: PLC0415

    for trunk in (semlink_resnet10, semlink_resnet10_scenes):
        register_model(trunk)
    for model in SHIPPED:
        open_clip.add_model_config(Path(__file__).with_name(f"{model}.json"))
