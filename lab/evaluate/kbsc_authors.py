"""The scheme `kbsc-authors`: the first paper as its authors have it; see `lab.simulate.authors_channel`."""

from time import perf_counter
from typing import Final

import numpy as np
import torch

from lab.evaluate.cost import Cost, cost_of
from lab.evaluate.scheme import Arrival, Batch, CannotExist, Setting, check_joint
from lab.simulate.authors_channel import FOLDERS, from_air, to_air
from lab.simulate.chain import Chain
from shared.codecs import Decoded
from shared.codecs.base.contract import fingerprint_of
from shared.codecs.base.weight_files import weights_path
from shared.codecs.embedding.kbsc import Kbsc

LENGTHS: Final = (16, 64, 256)


class KbscAuthors:
    """Whole batches over the authors' channel: one network for AWGN, another for their Rayleigh."""

    genie = ("batch power", "I and Q of two pictures", "scale told")

    def __init__(self, k: int, setting: Setting) -> None:  # noqa: ARG002 - no CLIP needed
        if k not in LENGTHS:
            raise CannotExist(f"kbsc-authors has no length k = {k}; it has {', '.join(map(str, LENGTHS))}")
        self.k, self.lengths = k, (k,)
        self._codecs = {
            fading: Kbsc.from_file(weights_path("kbsc-authors", f"{name}/k{k}.safetensors"), "cpu").in_torch()
            for fading, name in FOLDERS.items()
        }
        self.clip_fingerprint = self._codecs["none"].clip_fingerprint
        self.fingerprint = fingerprint_of(codec.fingerprint.encode() for codec in self._codecs.values())

    @property
    def cost(self) -> Cost:
        """See `lab.evaluate.scheme.Scheme`."""
        return cost_of(self._codecs["none"])

    @torch.inference_mode()
    def send(self, batch: Batch, chain: Chain) -> Arrival:
        """Send a batch as one, over AWGN or over fading `kbsc`, without CSI."""
        check_joint(chain)
        channel, csi = chain.channel, chain.csi
        if channel.fading not in self._codecs or csi != "none":
            raise CannotExist(
                f"kbsc-authors over fading {channel.fading} with csi {csi}: they have none or kbsc, without CSI"
            )
        network = self._codecs["kbsc" if channel.fading == "kbsc" else "none"].network
        assert network is not None
        start = perf_counter()
        x, scale = to_air(network.encoder(torch.from_numpy(batch.embeddings)))
        encode_seconds = perf_counter() - start
        x_hat = chain.carry(x.numpy(), batch.counters, joint=True).x_hat
        start = perf_counter()
        embeddings = network.decoder(from_air(torch.from_numpy(np.ascontiguousarray(x_hat)), scale)).numpy()
        return Arrival(Decoded(embeddings), encode_seconds, perf_counter() - start)
