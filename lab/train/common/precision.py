"""Mixed precision of the trainings."""

import torch

from shared.device import multiplies_bfloat16


def mixed_precision(device: torch.device) -> torch.autocast:
    """Products in bfloat16 where the device multiplies it; in float32 on a processor that would only emulate it."""
    return torch.autocast(device.type, torch.bfloat16, enabled=device.type != "cpu" or multiplies_bfloat16())
