"""The number format of an image tower: float32, or bfloat16 where the processor or GPU gains by it."""

import copy
import time

import torch
from torch import Tensor, nn

from shared.errors import InvalidSetting

PRECISIONS = ("auto", "float32", "bfloat16")

_WORTH = 1.1  # bfloat16 must be this much faster to be taken
_ROUNDS = 5


def cast_tower(tower: nn.Module, example: Tensor, precision: str) -> str:
    """Cast an image tower in place; gives the precision it now has.

    example: [B, 3, S, S], float32, normalised pictures to measure with
    precision: `float32`, `bfloat16`, or `auto` to take bfloat16 if it is faster here

    The tower is cast as a whole: autocast converts the weights anew on every call and was slower than float32 on
    ViT-B/32.
    """
    if precision not in PRECISIONS:
        raise InvalidSetting(f"Precision {precision!r} is unknown; choose one of {', '.join(PRECISIONS)}.")
    tower.to(memory_format=torch.channels_last)
    if precision == "auto":
        precision = "bfloat16" if _bfloat16_pays(tower, example) else "float32"
    if precision == "bfloat16":
        _to_bfloat16(tower)
    return precision


def _bfloat16_pays(tower: nn.Module, example: Tensor) -> bool:
    """Time both by turns, so that a busy moment of the machine falls on both."""
    if example.is_cuda and not torch.cuda.is_bf16_supported(including_emulation=False):
        return False
    half, half_example = _to_bfloat16(copy.deepcopy(tower)), example.bfloat16()
    times = [(_seconds(half, half_example), _seconds(tower, example)) for _ in range(1 + _ROUNDS)]
    fast, slow = (min(column) for column in zip(*times[1:], strict=True))  # the first round warms up
    return bool(_WORTH * fast < slow)


def _to_bfloat16(tower: nn.Module) -> nn.Module:
    """Cast all but batch norm, whose running statistics need the digits."""
    tower.to(torch.bfloat16)
    for module in tower.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.float()
    return tower


@torch.inference_mode()
def _seconds(tower: nn.Module, example: Tensor) -> float:
    """Time of one forward pass, in seconds."""
    started = time.perf_counter()
    tower(example)
    if example.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - started
