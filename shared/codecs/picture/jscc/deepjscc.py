"""`deepjscc`: the convolutional network of "Deep Joint Source-Channel Coding for Wireless Image Transmission".

    3 --5x5 /2--> 16 --5x5 /2--> 32 --5x5--> 32 --5x5--> 32 --5x5--> 8 maps of 8 x 8, the latent
    8 + 1 --5x5--> 32 --5x5--> 32 --5x5--> 32 --5x5 x2--> 16 --5x5 x2--> 3, sigmoid

Layers and widths are those of Bourtsoulatze, Burth Kurka and Gündüz (IEEE TCCN 2019, figure 2), PReLU between them.
They train a network for each bandwidth and SNR. Here one network serves all: the first c maps are the code of k = 64 c,
and the decoder gets the reliability as one more, constant map. The encoder does not use the SNR.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn

from shared.codecs.picture.jscc.network import JsccNetwork

MAPS, MAP_SIDE = 8, 8


class DeepJsccNetwork(JsccNetwork):
    """Convolutions only, so k is a multiple of 64, the size of a map."""

    lengths: ClassVar[tuple[int, ...]] = (64, 128, 256, 512)

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            *_down(3, 16, 2), *_down(16, 32, 2), *_down(32, 32), *_down(32, 32), nn.Conv2d(32, MAPS, 5, 1, 2)
        )
        self.decoder = nn.Sequential(
            *_up(MAPS + 1, 32), *_up(32, 32), *_up(32, 32), *_up(32, 16, 2), *_up(16, 3, 2)[:1], nn.Sigmoid()
        )

    def analyze(self, pictures: Tensor, reliability: Tensor, k: int) -> Tensor:  # noqa: ARG002 - uses neither
        """See `JsccNetwork`."""
        latent: Tensor = self.encoder(2 * pictures - 1).flatten(1)
        return latent

    def synthesize(self, latent: Tensor, reliability: Tensor, k: int) -> Tensor:  # noqa: ARG002 - k shows as zeros
        """See `JsccNetwork`."""
        maps = latent.reshape(-1, MAPS, MAP_SIDE, MAP_SIDE)
        known = reliability[:, :, None, None].expand(-1, 1, MAP_SIDE, MAP_SIDE)
        pictures: Tensor = self.decoder(torch.cat([maps, known], dim=1))
        return pictures


def _down(inputs: int, outputs: int, stride: int = 1) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 5, stride, 2), nn.PReLU(outputs)]


def _up(inputs: int, outputs: int, stride: int = 1) -> list[nn.Module]:
    return [nn.ConvTranspose2d(inputs, outputs, 5, stride, 2, output_padding=stride - 1), nn.PReLU(outputs)]
