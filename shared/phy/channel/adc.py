"""The analogue-to-digital converters (ADC) of the receiver."""

import numpy as np

from shared.phy.channel.stage import Drawn, Signal, Stage
from shared.phy.conditions.settings import ChannelSettings
from shared.types import Complex

_FLOOR = 1e-30
"""Full scale of a burst without power; its quantized values are 0 in complex64."""


class Adc(Stage):
    """Two uniform mid-rise quantizers of adc_bits = b bits, one for I and one for Q, that clip at full scale A.

        q(v) = D (floor(v / D) + 1/2),   D = 2 A / 2^b,   A^2 = 10^(adc_clip_db/10) x mean of (I^2 + Q^2) / 2

    An ideal gain control sets A from the power of each burst, including noise. Without clipping, the mean squared error
    is D^2 / 12 in each: the signal is 6.02 b + 4.77 - adc_clip_db dB above it. (Bennett, "Spectra of quantized
    signals", Bell Syst. Tech. J. 27, 1948.)
    """

    def apply(self, signal: Signal, drawn: Drawn, settings: ChannelSettings) -> Signal:  # noqa: ARG002
        """Quantize; rounding and clipping count as noise."""
        return signal.distorted(quantize(signal.received, settings.adc_bits, settings.adc_clip_db))


def quantize(y: Complex, bits: int, clip_db: float) -> Complex:
    """Quantize I and Q of each burst: [B, n], complex64."""
    parts = y.view(np.float32).astype(np.float64)  # I and Q of all symbols: [B, 2 n]
    rms = np.sqrt(np.mean(parts**2, axis=-1, keepdims=True))
    step = 2 * np.maximum(rms * 10 ** (clip_db / 20), _FLOOR) / (1 << bits)
    half = 1 << (bits - 1)
    levels = np.clip(np.floor(parts / step), -half, half - 1) + 0.5
    converted: Complex = (levels * step).astype(np.float32).view(np.complex64)
    return converted
