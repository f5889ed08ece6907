"""Parameters and multiply-accumulates, counted by torch."""

from typing import NamedTuple

import numpy as np
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from shared.codecs import Codec, PictureCodec

_EMBEDDING = np.full((1, 512), 512**-0.5, np.float32)
_PICTURE = np.full((1, 32, 32, 3), 128, np.uint8)


class Cost(NamedTuple):
    """params: numbers that were learned, both halves. macs: multiply-accumulates of torch for one picture."""

    params: int
    macs: int


def cost_of(codec: Codec | PictureCodec) -> Cost:
    """Count a codec's parameters, and what encoding and decoding one embedding or picture takes.

    What a codec prepares with its first burst and keeps is not part of that.
    """
    codec = codec.in_torch()
    _send_one(codec)
    with FlopCounterMode(display=False) as counter:
        _send_one(codec)
    return Cost(_params(codec), counter.get_total_flops() // 2)


def _send_one(codec: Codec | PictureCodec) -> None:
    x = codec.encode(_PICTURE) if isinstance(codec, PictureCodec) else codec.encode(_EMBEDDING)
    codec.decode(x, np.full(x.shape, 0.1, np.float32))


def _params(codec: Codec | PictureCodec) -> int:
    """All that was learned: what the codec counts itself, else parameters and buffers of its networks."""
    if hasattr(codec, "params"):
        return int(codec.params)
    modules = [value for value in vars(codec).values() if isinstance(value, nn.Module)]
    tensors = [tensor for module in modules for tensor in module.state_dict().values()]
    return sum(tensor.numel() for tensor in tensors if tensor.is_floating_point())
