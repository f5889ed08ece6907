"""Initial parameters of the picture codecs: a linear code of blocks instead of random numbers.

    pictures --blocks--> KLT, the strongest axes --gains--> z --channel--> z_hat --1 / gains, KLT transposed--> pictures

The layers are set so that together they are the Karhunen-Loève transform of blocks (4 x 4 pixels in `deepjscc`, 8 x 8
in `swinjscc`), whose strongest coefficients are the first maps of the latent: the best linear code of so many maps.
Activations begin as the identity, residual branches at zero, so that a training of few epochs starts from a usable
code.
"""

from functools import singledispatch
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.conv import _ConvNd

from shared.codecs.picture.jscc.deepjscc import MAPS, DeepJsccNetwork
from shared.codecs.picture.jscc.network import JsccNetwork, to_unit_range
from shared.codecs.picture.jscc.swinjscc import COARSE, MERGE, PATCH, ModNet, SwinJsccNetwork
from shared.codecs.picture.jscc.swinjscc import MAPS as SWIN_MAPS
from shared.types import Pixels

_SAMPLE = 5000
_FAINT = 0.1
"""Factor of the usual random weights, which are added to the linear code so that no two channels are equal."""
_KERNEL: Final = (slice(2, 4), slice(2, 4))
"""Where a 5 x 5 kernel of stride 2 meets the 2 x 2 pixels that are its own."""
POWER_EXPONENT = 0.5
"""Power of a coefficient ~ deviation^this. Alone and at one k, 1 would be best; over many k, something less."""


@singledispatch
def start_as_linear_code(network: JsccNetwork, pixels: Pixels) -> None:  # noqa: ARG001 - for the registered functions
    """Set the parameters from pictures [N, 32, 32, 3], uint8."""
    raise TypeError(f"no initial code is known for {type(network).__name__}")


@start_as_linear_code.register
@torch.no_grad()
def _(network: DeepJsccNetwork, pixels: Pixels) -> None:
    mean, axes, gains = klt(pixels, 4, MAPS)
    first, second, *same, last = (layer for layer in network.encoder if isinstance(layer, nn.Conv2d))
    *widen, unfold, out = (layer for layer in network.decoder if isinstance(layer, nn.ConvTranspose2d))
    for layer in (first, second, *same, last, *widen, unfold, out):
        layer.weight.mul_(_FAINT)
        _bias(layer).zero_()
    for module in network.modules():
        if isinstance(module, nn.PReLU):
            module.weight.fill_(1)
    pairs = torch.eye(12).view(12, 3, 2, 2)  # a channel for each of 3 x 2 x 2 values
    basis = axes[: second.out_channels].view(-1, 3, 2, 2, 2, 2).permute(0, 1, 3, 5, 2, 4).reshape(-1, 12, 2, 2)
    first.weight[:12, :, *_KERNEL] += pairs
    second.weight[:, :12, *_KERNEL] += basis
    _bias(second).copy_(-axes[: second.out_channels] @ mean)
    for layer in (*same, *widen[1:]):
        layer.weight[:, :, 2, 2] += torch.eye(len(layer.weight))
    last.weight[:, :MAPS, 2, 2] += gains[:MAPS].diag()
    widen[0].weight[:MAPS, :MAPS, 2, 2] += (1 / gains[:MAPS]).diag()
    unfold.weight[:, :12, *_KERNEL] += basis
    out.weight[:12, :, *_KERNEL] += 2 * pairs  # sigmoid(2 x) is 0.5 + 0.5 x for small x
    _bias(out).copy_(2 * mean.view(3, -1).mean(1))


@start_as_linear_code.register
@torch.no_grad()
def _(network: SwinJsccNetwork, pixels: Pixels) -> None:
    mean, axes, gains = klt(pixels, PATCH * MERGE, SWIN_MAPS)
    values = 3 * PATCH**2
    axes = axes[:COARSE]
    for name, module in network.named_modules():
        if name.endswith(("attn.proj", "mlp.fc2")) and isinstance(module, nn.Linear):
            _set(module, torch.zeros_like(module.weight))
        if isinstance(module, ModNet):
            _set(module.last, torch.zeros_like(module.last.weight))  # each of its weights begins at 1/2
    basis = axes.view(-1, 3, MERGE, PATCH, MERGE, PATCH).permute(0, 1, 3, 5, 2, 4).reshape(COARSE, values * MERGE**2)
    merge = torch.zeros_like(network.merge.weight)
    merge[:, : basis.shape[1]] = basis
    maps = torch.eye(SWIN_MAPS, COARSE)
    _set(network.embed, torch.eye(network.embed.out_features, values))
    _set(network.merge, merge, -axes @ mean)
    _set(network.to_maps, 2 * gains[:SWIN_MAPS, None] * maps)
    _set(network.from_maps, maps.T / gains[:SWIN_MAPS])
    _set(network.expand, 2 * merge.T)
    _set(
        network.to_patch,
        torch.eye(values, network.to_patch.in_features),
        mean.view(3, -1).mean(1).repeat_interleave(PATCH**2),
    )


def klt(pixels: Pixels, side: int, maps: int) -> tuple[Tensor, Tensor, Tensor]:
    """Karhunen-Loève transform of blocks: mean [D], axes [D, D], strongest first, gains [D].

    The strongest `maps` coefficients, times their gains, have power 1 in the mean.

    pixels: [N, 32, 32, 3], uint8. Blocks are values 2 p - 1 in the order channel, row, column: D = 3 side^2.
    """
    pictures = 2 * to_unit_range(pixels[:_SAMPLE]) - 1
    blocks = F.unfold(pictures, side, stride=side).transpose(1, 2).flatten(0, 1)
    deviations, axes = torch.linalg.eigh(blocks.T.cov())
    deviations, axes = deviations.flip(0).clamp_min(1e-9).sqrt(), axes.flip(1).T
    power = deviations**POWER_EXPONENT
    power = power / power[:maps].mean()
    return blocks.mean(0), axes.contiguous(), power.sqrt() / deviations


def _set(layer: nn.Linear, weight: Tensor, bias: Tensor | None = None) -> None:
    layer.weight.copy_(weight)
    if bias is None:
        layer.bias.zero_()
    else:
        layer.bias.copy_(bias)


def _bias(layer: _ConvNd) -> Tensor:
    assert layer.bias is not None
    return layer.bias
