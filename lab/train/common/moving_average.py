"""An exponential moving average of a model: steadier than the model itself while it still learns fast."""

import copy
from typing import Any

import torch
from torch import nn


class MovingAverage:
    """Follows a model's parameters and statistics. The first steps, far from the goal, are forgotten quickly.

    average <- average + (1 - w) (current - average),   w = min(decay, (1 + steps) / (10 + steps))
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.module: Any = copy.deepcopy(model).eval().requires_grad_(False)
        self.steps = 0
        self._decay = decay

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Take one step towards the model as it is now."""
        weight = 1 - min(self._decay, (1 + self.steps) / (10 + self.steps))
        self.steps += 1
        # The state dictionary, not the buffers: an attention mask of -inf has no average.
        for average, current in zip(self.module.state_dict().values(), model.state_dict().values(), strict=True):
            if average.is_floating_point():
                average.lerp_(current, weight)
            else:
                average.copy_(current)

    def state_dict(self) -> dict[str, Any]:
        """What `load_state_dict` takes."""
        return {"module": self.module.state_dict(), "steps": self.steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self.module.load_state_dict(state["module"])
        self.steps = int(state["steps"])
