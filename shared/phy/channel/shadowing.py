"""Path loss and shadowing: one power factor for each whole burst."""

from typing import Final

import numpy as np

from shared.phy.channel.stage import Draw, Drawn, Gain
from shared.phy.conditions.settings import ChannelSettings
from shared.units import db_to_ratio

_NEPER_PER_DB: Final = np.log(10) / 10


class Shadowing(Gain):
    """Log-normal shadowing that keeps the mean power: E|h|^2 = 1.

        10 log10 |h|^2 = sigma z - sigma^2 ln(10) / 20 dB,   z ~ N(0, 1),   sigma = shadowing_db

    The median lies below 0 dB by the second term, 1.8 dB for sigma = 4 and 7.4 dB for 8: most bursts are
    below the mean, and few strong ones above it. `shadowing_bursts` consecutive bursts share one z; groups are
    independent. (Goldsmith, "Wireless Communications", section 2.7.)
    """

    def draw(self, draw: Draw, settings: ChannelSettings, n: int) -> Drawn:  # noqa: ARG002
        """Draw the gain: [1], complex64, real."""
        sigma = settings.shadowing_db
        z = draw.shared(draw.counter // settings.shadowing_bursts).standard_normal()
        return _amplitude(sigma * z - sigma**2 * _NEPER_PER_DB / 2)


class PathLoss(Gain):
    """Loss of every symbol: 10 log10 |h|^2 = -path_loss_db. Nothing is random."""

    def draw(self, draw: Draw, settings: ChannelSettings, n: int) -> Drawn:  # noqa: ARG002
        """The gain: [1], complex64, real."""
        return _amplitude(-settings.path_loss_db)


def _amplitude(power_db: float) -> Drawn:
    return np.array([db_to_ratio(power_db / 2)], np.complex64)
