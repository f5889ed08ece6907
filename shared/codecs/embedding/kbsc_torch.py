"""`kbsc` in torch, for training and counting; the services run it in numpy, see `shared.codecs.embedding.kbsc`."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from shared.codecs.embedding.kbsc_shape import DIM, HIDDEN
from shared.types import Complex, Embeddings, Floats


class KbscNetwork(nn.Module):
    """Both halves of the codec. k: real latent dimensions, even."""

    def __init__(self, k: int) -> None:
        super().__init__()
        self.k = k
        self.encoder = nn.Sequential(nn.Linear(DIM, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, k), nn.BatchNorm1d(k))
        self.decoder = nn.Sequential(nn.Linear(k, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, DIM), nn.BatchNorm1d(DIM))

    def encode(self, embeddings: Tensor) -> Tensor:
        """Symbols [B, k/2], complex64, of unit mean power per row, of embeddings [B, 512], float32."""
        x = torch.view_as_complex(self.encoder(embeddings).unflatten(-1, (-1, 2)).contiguous())
        return x / x.abs().square().mean(-1, keepdim=True).sqrt()

    def decode(self, x_hat: Tensor) -> Tensor:
        """Embeddings [B, 512], float32, of received symbols [B, k/2], complex64."""
        decoded: Tensor = self.decoder(torch.view_as_real(x_hat).flatten(-2))
        return decoded

    @torch.inference_mode()
    def encode_arrays(self, embeddings: Embeddings) -> Complex:
        """As `encode`, of arrays."""
        x: Complex = self.encode(torch.from_numpy(embeddings)).numpy()
        return x

    @torch.inference_mode()
    def decode_arrays(self, x_hat: Complex) -> Embeddings:
        """As `decode`, of arrays."""
        decoded: Embeddings = self.decode(torch.from_numpy(np.ascontiguousarray(x_hat))).numpy()
        return decoded


def network_of(arrays: Mapping[str, Floats]) -> KbscNetwork:
    """The network that holds these arrays, in evaluation mode."""
    network = KbscNetwork(len(arrays["encoder.3.weight"]))
    network.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
    return network.eval()
