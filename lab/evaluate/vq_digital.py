"""The scheme `vq-digital`: its codec, and which of its messages were lost."""

import numpy as np

from lab.evaluate.cost import Cost
from lab.evaluate.scheme import Batch, CodecScheme, Setting, check_length
from lab.simulate.chain import Chain
from shared.codecs import Codec, Decoded
from shared.codecs.base.contract import DesignSnr
from shared.codecs.digital.vq import VqDigital
from shared.types import Bools

_ROUNDING = 1e-6


class VqDigitalScheme(CodecScheme):
    """Quantizer, 5G LDPC and QAM of one length."""

    def __init__(self, k: int, setting: Setting) -> None:  # noqa: ARG002 - no CLIP needed
        check_length(VqDigital, k)
        super().__init__(VqDigital.load(k, "cpu"), VqDigital.load(k, "cpu"))

    @property
    def cost(self) -> Cost:
        """Codewords, and no multiplication in torch."""
        assert isinstance(self._sender, VqDigital)
        return Cost(self._sender.params, 0)

    def _expected(self, batch: Batch, chain: Chain) -> DesignSnr | None:  # noqa: ARG002 - its table knows of fading
        """The average SNR, by which its table goes."""
        return batch.design_snr_db()

    def _lost(self, receiver: Codec, batch: Batch, decoded: Decoded) -> Bools:
        """Whether the codewords that arrived are not those that were sent: [B]."""
        assert isinstance(receiver, VqDigital)
        sent = receiver.quantized(batch.embeddings)
        lost: Bools = (np.abs(decoded.embeddings - sent) > _ROUNDING).any(axis=1)
        return lost
