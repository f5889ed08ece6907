"""The scheme `vq-digital`: its codec, and which of its messages were lost."""

import numpy as np

from lab.evaluate.cost import Cost
from lab.evaluate.scheme import Batch, CodecScheme, Setting
from lab.simulate.air import Air
from shared.codecs import Codec, Decoded
from shared.codecs.base.contract import DesignSnr
from shared.codecs.digital.vq import VqDigital
from shared.types import Bools

_ROUNDING = 1e-6


class VqDigitalScheme(CodecScheme):
    """Quantizer, 5G LDPC and QAM of one length."""

    def __init__(self, k: int, setting: Setting) -> None:  # noqa: ARG002 - no CLIP needed
        super().__init__(VqDigital, k)

    @property
    def cost(self) -> Cost:
        """Words, and no multiplication in torch."""
        assert isinstance(self._sender, VqDigital)
        return Cost(self._sender.params, 0)

    def _told(self, batch: Batch, air: Air) -> DesignSnr | None:  # noqa: ARG002 - its table knows of fading
        """The average SNR, by which its table goes."""
        return batch.operating_point()

    def _lost(self, receiver: Codec, batch: Batch, decoded: Decoded) -> Bools:
        """Whether the words that arrived are not those that were sent: [B]."""
        assert isinstance(receiver, VqDigital)
        sent = receiver.quantized(batch.embeddings)
        lost: Bools = (np.abs(decoded.embeddings - sent) > _ROUNDING).any(axis=1)
        return lost
