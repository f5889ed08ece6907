"""The rate of learning over a training."""

import math
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

_LEAST = 0.01
"""Of the rate, at the end."""


def warm_cosine(optimizer: Optimizer, warmup_steps: int, steps: int) -> dict[str, Any]:
    """A linear rise, then a cosine that falls over all steps, as Lightning takes optimizer and schedule."""

    def rate(step: int) -> float:
        done = min(1.0, step / steps)
        return min(1.0, (step + 1) / warmup_steps) * max(_LEAST, 0.5 + 0.5 * math.cos(math.pi * done))

    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": LambdaLR(optimizer, rate), "interval": "step"}}
