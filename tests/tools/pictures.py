"""Made-up pictures."""

import torch

from shared.types import Pixels


def coarse_pictures() -> Pixels:
    """300 pictures of 8 x 8 random colours, neighbours alike: too many numbers for 16 symbols, few enough for 256."""
    generator = torch.Generator().manual_seed(5)
    coarse = 128 + 50 * torch.randn(300, 3, 2, 2, generator=generator)
    fine = 25 * torch.randn(300, 3, 8, 8, generator=generator)
    whole = sum(torch.nn.functional.interpolate(part, size=32, mode="bilinear") for part in (coarse, fine))
    assert isinstance(whole, torch.Tensor)
    return whole.clamp(0, 255).round().byte().permute(0, 2, 3, 1).numpy()
