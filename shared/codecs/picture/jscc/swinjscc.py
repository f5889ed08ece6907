"""`swinjscc`: Swin transformer blocks with SNR and rate modulation, a small form of SwinJSCC (Yang et al., 2024).

    4 x 4 patches --> 8 x 8 tokens of 64: 2 blocks --merge--> 4 x 4 tokens of 128: 2 blocks --ModNet--> 32 maps of 4 x 4
    32 maps --> 4 x 4 tokens of 128 --ModNet--> 2 blocks --expand--> 8 x 8 tokens of 64: 2 blocks --> patches

The published network for 32 x 32 has patches of 2 x 2, 128 and 256 wide, 2 and 4 blocks. This one is
smaller, and reports name it so. One model serves all k by a mask: the first c maps are the code of k = 16 c. The
published mask selects maps for each picture, which costs side information; the first c need none.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from shared.codecs.picture.jscc.network import LATENT, JsccNetwork

PATCH, MERGE = 4, 2
FINE, COARSE = 64, 128
FINE_SIDE, COARSE_SIDE = 8, 4
BLOCKS, WINDOW, HEAD = 2, 4, 32
MAPS = 32


class ModNet(nn.Module):
    """Weights channels by SNR and rate: x * sigmoid(W2 (W1 (W0 x * g0) * g1)), g_i = sigmoid(MLP_i(r, k / 512)).

    "SwinJSCC", section III-C, with fewer layers.
    """

    def __init__(self, width: int, layers: int = 2) -> None:
        super().__init__()
        self.mix = nn.ModuleList(nn.Linear(width, width) for _ in range(layers))
        self.gates = nn.ModuleList(
            nn.Sequential(nn.Linear(2, width), nn.ReLU(), nn.Linear(width, width), nn.Sigmoid()) for _ in range(layers)
        )
        self.last = nn.Linear(width, width)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """x: tokens [B, H, W, C]; condition: [B, 2]."""
        weights = x
        for mix, gate in zip(self.mix, self.gates, strict=True):
            weights = mix(weights) * gate(condition)[:, None, None, :]
        return x * torch.sigmoid(self.last(weights))


class SwinJsccNetwork(JsccNetwork):
    """Tokens are [B, H, W, C]."""

    lengths: ClassVar[tuple[int, ...]] = (16, 32, 64, 128, 256, 512)

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(3 * PATCH**2, FINE)
        self.fine_encoder = _blocks(FINE, FINE_SIDE)
        self.merge = nn.Linear(FINE * MERGE**2, COARSE)
        self.coarse_encoder = _blocks(COARSE, COARSE_SIDE)
        self.encoder_modulation = ModNet(COARSE)
        self.to_maps = nn.Linear(COARSE, MAPS)
        self.from_maps = nn.Linear(MAPS, COARSE)
        self.decoder_modulation = ModNet(COARSE)
        self.coarse_decoder = _blocks(COARSE, COARSE_SIDE)
        self.expand = nn.Linear(COARSE, FINE * MERGE**2)
        self.fine_decoder = _blocks(FINE, FINE_SIDE)
        self.to_patch = nn.Linear(FINE, 3 * PATCH**2)

    def analyze(self, pictures: Tensor, reliability: Tensor, k: int) -> Tensor:
        """See `JsccNetwork`."""
        tokens = self.embed(_gather(2 * pictures.permute(0, 2, 3, 1) - 1, PATCH))
        tokens = self.coarse_encoder(self.merge(_gather(self.fine_encoder(tokens), MERGE)))
        maps: Tensor = self.to_maps(self.encoder_modulation(tokens, _condition(reliability, k)))
        return maps.permute(0, 3, 1, 2).flatten(1)

    def synthesize(self, latent: Tensor, reliability: Tensor, k: int) -> Tensor:
        """See `JsccNetwork`."""
        maps = latent.reshape(-1, MAPS, COARSE_SIDE, COARSE_SIDE).permute(0, 2, 3, 1)
        tokens = self.coarse_decoder(self.decoder_modulation(self.from_maps(maps), _condition(reliability, k)))
        tokens = self.fine_decoder(_spread(self.expand(tokens), MERGE))
        return 0.5 + 0.5 * _spread(self.to_patch(tokens), PATCH).permute(0, 3, 1, 2)


def _blocks(width: int, side: int) -> nn.Sequential:
    """Blocks of windowed attention; the windows of every second one are shifted by half."""
    from timm.models.swin_transformer import SwinTransformerBlock  # noqa: PLC0415 - takes seconds to import

    shifts = [0 if n % 2 == 0 else WINDOW // 2 for n in range(BLOCKS)]
    return nn.Sequential(
        *(
            SwinTransformerBlock(width, (side, side), width // HEAD, window_size=WINDOW, shift_size=shift, mlp_ratio=2)
            for shift in shifts
        )
    )


def _condition(reliability: Tensor, k: int) -> Tensor:
    return torch.cat([reliability, torch.full_like(reliability, k / LATENT)], dim=1)


def _gather(tokens: Tensor, side: int) -> Tensor:
    """Squares of side x side tokens merged into one each: [B, H, W, C] to [B, H / side, W / side, C side^2]."""
    return F.pixel_unshuffle(tokens.permute(0, 3, 1, 2), side).permute(0, 2, 3, 1)


def _spread(tokens: Tensor, side: int) -> Tensor:
    """The reverse of `_gather`."""
    return F.pixel_shuffle(tokens.permute(0, 3, 1, 2), side).permute(0, 2, 3, 1)
