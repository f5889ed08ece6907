"""The scheme `vq-digital`: its codec, with the mode in the header and chosen for the kind of fading.

A live receiver finds the mode by itself, and the sender's table is that of AWGN; a link that adapts would do as here.
"""

from time import perf_counter

import numpy as np

from lab.evaluate.air import Air
from lab.evaluate.cost import Cost
from lab.evaluate.scheme import Arrival, Batch, CannotExist, Setting
from shared.codecs import Decoded
from shared.codecs.digital.vq import DEFAULT_SNR_DB, VqDigital


class VqDigitalScheme:
    """Quantizer, 5G LDPC and QAM of one length."""

    genie: tuple[str, ...] = ()

    def __init__(self, k: int, setting: Setting) -> None:  # noqa: ARG002 - no CLIP needed
        self.k = k
        self._codec = VqDigital.load(k, "cpu")
        if not self._codec.table.modes(k):
            raise CannotExist(f"vq-digital: no mode of 12 bits or more has a form in {k // 2} symbols")
        self.fingerprint, self.clip_fingerprint = self._codec.fingerprint, self._codec.clip_fingerprint

    @property
    def cost(self) -> Cost:
        """Words, and no multiplication in torch."""
        return Cost(self._codec.params, 0)

    def send(self, batch: Batch, air: Air) -> Arrival:
        """Send every picture in the mode of the operating point."""
        codec = self._codec
        fading = "none" if air.channel.fading == "none" else "rayleigh"
        mode = codec.table.choose(self.k, DEFAULT_SNR_DB if batch.snr_db is None else batch.snr_db, fading)
        start = perf_counter()
        bits = codec.quantizer.quantize(batch.embeddings, mode.bits)
        x = codec.modulate(bits, mode)
        encode_seconds = perf_counter() - start
        equalized = air.carry(x, codec.equalizer)
        start = perf_counter()
        decoded = codec.demodulate(equalized.x_hat, equalized.n0_eff, mode)
        embeddings = codec.quantizer.dequantize(decoded)
        seconds = perf_counter() - start
        return Arrival(Decoded(embeddings), encode_seconds, seconds, lost=np.any(decoded != bits, axis=1))
