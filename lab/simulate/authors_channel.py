"""The channel of `kbsc` in its authors' own conventions (arXiv 2504.01053, code Linkcy97/KBSC), to reproduce the paper.

    z [B, k], the whole batch --unit power over the batch--> pairs (z_i, z_{i + Bk/2}) as I + jQ --h x + n--> z_hat

Four liberties that a real link cannot take: power is averaged over the batch; I and Q of a symbol come from two
pictures; the receiver is given the scale; "Rayleigh" is a real, non-negative gain for each symbol, without a phase.
"""

import math
from collections.abc import Callable
from typing import Final, Literal

import torch
from torch import Tensor

from shared.codecs.embedding.kbsc_torch import KbscNetwork
from shared.units import n0_from_snr_db

AuthorsFading = Literal["none", "kbsc"]
FOLDERS: Final[dict[AuthorsFading, str]] = {"none": "awgn", "kbsc": "rayleigh"}


def to_air(z: Tensor) -> tuple[Tensor, Tensor]:
    """Symbols [B, k/2], complex64, of latents [B, k] of a whole batch, and the scale that makes E|x|^2 = 1 over it.

    The first half of all values becomes I, the second half Q.
    """
    scale = (2 * z.square().mean()).sqrt()
    halves = (z / scale).reshape(2, -1)
    return torch.complex(halves[0], halves[1]).reshape(len(z), -1), scale


def from_air(y: Tensor, scale: Tensor) -> Tensor:
    """Latents [B, k] of received symbols [B, k/2], with the scale that the receiver is given."""
    return torch.cat([y.real.flatten(), y.imag.flatten()]).reshape(len(y), -1) * scale


def carry_over(fading: AuthorsFading) -> Callable[[KbscNetwork, Tensor, float], Tensor]:
    """The authors' channel for training: y = h x + n, h = 1 or |CN(0, 1)| for each symbol."""

    def carry(network: KbscNetwork, embeddings: Tensor, snr_db: float) -> Tensor:
        x, scale = to_air(network.encoder(embeddings))
        gain = torch.randn_like(x).abs() if fading == "kbsc" else 1.0
        y = gain * x + torch.randn_like(x) * math.sqrt(n0_from_snr_db(snr_db))
        decoded: Tensor = network.decoder(from_air(y, scale))
        return decoded

    return carry
