"""The power amplifier of the transmitter."""

import numpy as np
import numpy.typing as npt

from shared.channel.distortion import distorted
from shared.channel.settings import ChannelSettings
from shared.channel.stage import Draw, Drawn, Signal
from shared.symbols import Complex
from shared.units import db_to_ratio


class Rapp:
    """A solid-state amplifier, which saturates softly and leaves the phase.

        amplitude r becomes r / (1 + (r / r_sat)^(2p))^(1 / 2p),   r_sat^2 = 10^(pa_backoff_db / 10) for Es = 1

    p = pa_smoothness: the greater, the sharper the bend. (Rapp, "Effects of HPA-nonlinearity on a
    4-DPSK/OFDM-signal for a digital sound broadcasting system", 2nd European Conference on Satellite Communications,
    1991.) The power that is lost is not made up for.
    """

    def draw(self, draw: Draw, settings: ChannelSettings, n: int) -> Drawn:  # noqa: ARG002
        """Nothing is random: [0]."""
        return np.empty(0)

    def apply(self, signal: Signal, drawn: Drawn, settings: ChannelSettings) -> Signal:  # noqa: ARG002
        """Amplify; what the bend adds is noise."""
        sent = signal.received.astype(np.complex128)
        return distorted(signal, sent * compression(np.abs(sent), settings))


def compression(amplitude: npt.NDArray[np.float64], settings: ChannelSettings) -> npt.NDArray[np.float64]:
    """Output over input amplitude of the Rapp amplifier: as `amplitude`, 0 to 1."""
    saturation, twice_p = db_to_ratio(settings.pa_backoff_db) ** 0.5, 2 * settings.pa_smoothness
    with np.errstate(over="ignore"):  # an absurd amplitude comes out as 0
        ratio: npt.NDArray[np.float64] = (1 + (amplitude / saturation) ** twice_p) ** (-1 / twice_p)
    return ratio


def papr_db(samples: Complex) -> npt.NDArray[np.float64]:
    """Peak-to-average power ratio of each burst, 10 log10(max |s|^2 / mean |s|^2): [B, n] to [B], dB; 0 without power.

    Taken at the symbol rate: between the samples a real signal peaks higher, by some tenths of a dB for OFDM.
    """
    power = samples.real.astype(np.float64) ** 2 + samples.imag.astype(np.float64) ** 2
    mean = power.mean(axis=-1)
    ratio = np.divide(power.max(axis=-1), mean, out=np.ones_like(mean), where=mean > 0)
    return np.asarray(10 * np.log10(ratio))
