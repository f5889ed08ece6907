"""The power amplifier of the transmitter."""

from typing import Final

import numpy as np

from shared.phy.channel.stage import Drawn, Signal, Stage
from shared.phy.conditions.settings import ChannelSettings
from shared.types import Complex, Doubles
from shared.units import db_to_ratio

_NO_POWER: Final = np.finfo(np.float64).tiny


class Rapp(Stage):
    """Rapp model of a solid-state amplifier: soft saturation, no phase distortion.

        amplitude r becomes r / (1 + (r / r_sat)^(2p))^(1 / 2p),   r_sat^2 = 10^(pa_backoff_db / 10) for Es = 1

    p = pa_smoothness: the larger, the sharper the saturation. (Rapp, "Effects of HPA-nonlinearity on a
    4-DPSK/OFDM-signal for a digital sound broadcasting system", 2nd European Conference on Satellite Communications,
    1991.) The lost power is not compensated. OFDM with empty subcarriers has a mean power below Es and is distorted
    less.
    """

    def apply(self, signal: Signal, drawn: Drawn, settings: ChannelSettings) -> Signal:  # noqa: ARG002
        """Amplify; the distortion counts as noise."""
        sent = signal.received.astype(np.complex128)
        amplified = sent * compression(np.abs(sent), settings)
        return signal.distorted(amplified)._replace(launched=amplified.astype(np.complex64))


def compression(amplitude: Doubles, settings: ChannelSettings) -> Doubles:
    """Output over input amplitude of the Rapp amplifier: as `amplitude`, 0 to 1."""
    saturation, twice_p = db_to_ratio(settings.pa_backoff_db) ** 0.5, 2 * settings.pa_smoothness
    with np.errstate(over="ignore"):  # an amplitude that overflows gives 0
        ratio: Doubles = (1 + (amplitude / saturation) ** twice_p) ** (-1 / twice_p)
    return ratio


def papr_db(samples: Complex) -> Doubles:
    """Peak-to-average power ratio of each burst, 10 log10(max |s|^2 / mean |s|^2): [B, n] to [B], dB; 0 without power.

    Measured at the symbol rate: between the samples a real signal peaks higher, by some tenths of a dB for OFDM.
    """
    squares = np.square(np.ascontiguousarray(samples).view(np.float32), dtype=np.float64)  # I and Q side by side
    power = squares[:, ::2] + squares[:, 1::2]
    mean = np.maximum(np.add.reduce(power, axis=1) / power.shape[1], _NO_POWER)  # `mean` of numpy takes 6 us more
    return np.asarray(10 * np.log10(np.maximum(np.maximum.reduce(power, axis=1) / mean, 1.0)))
