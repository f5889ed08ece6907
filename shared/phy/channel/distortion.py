"""What a non-linear part of the radio does: a gain, and a noise that is made of the signal itself."""

import numpy as np
import numpy.typing as npt

from shared.phy.channel.stage import Signal
from shared.types import Complex


def distorted(signal: Signal, output: Complex | npt.NDArray[np.complex128]) -> Signal:
    """The bursts after a non-linear part that makes `output` [B, n] of what was received.

        output = a r + d,   a = sum conj(r) output / sum |r|^2

    With that a the distortion d is uncorrelated with r over the burst: a is a gain that pilots see, d counts as noise.
    (Bussgang, "Crosscorrelation functions of amplitude-distorted Gaussian signals", MIT RLE report 216, 1952.)
    """
    received = signal.received.astype(np.complex128)
    power = np.sum(received.real**2 + received.imag**2, axis=-1, keepdims=True)
    overlap = np.sum(received.conj() * output, axis=-1, keepdims=True)
    gain = np.divide(overlap, power, out=np.ones_like(overlap), where=power > 0).astype(np.complex64)
    return signal.times(gain).plus((output - gain * received).astype(np.complex64))
