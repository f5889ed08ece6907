"""Bussgang decomposition of a non-linear component: a gain and uncorrelated distortion."""

import numpy as np
import numpy.typing as npt

from shared.phy.channel.stage import Signal
from shared.types import Complex


def distorted(signal: Signal, output: Complex | npt.NDArray[np.complex128]) -> Signal:
    """The bursts after a non-linear component whose output is `output` [B, n].

        output = a r + d,   a = sum conj(r) output / sum |r|^2

    The distortion d is uncorrelated with r over the burst: a is a gain that pilots include, d counts as noise.
    (Bussgang, "Crosscorrelation functions of amplitude-distorted Gaussian signals", MIT RLE report 216, 1952.)
    """
    received = signal.received.astype(np.complex128)
    power = np.sum(received.real**2 + received.imag**2, axis=-1, keepdims=True)
    overlap = np.sum(received.conj() * output, axis=-1, keepdims=True)
    gain = np.divide(overlap, power, out=np.ones_like(overlap), where=power > 0).astype(np.complex64)
    return signal.times(gain).plus((output - gain * received).astype(np.complex64))
