"""Additive noise."""

import numpy as np

from shared.phy.channel.stage import Draw, Drawn, Noise
from shared.phy.conditions.settings import ChannelSettings
from shared.phy.randomness import standard_complex_normal
from shared.units import db_to_ratio, n0_from_snr_db


class Awgn(Noise):
    """Circular white Gaussian noise n ~ CN(0, N0), N0 = 10^(-snr_db/10) for Es = 1.

    N0/2 per real dimension. (Proakis, Salehi, "Digital Communications", 5th edition, section 2.9.)
    """

    def draw(self, draw: Draw, settings: ChannelSettings, n: int) -> Drawn:
        """Draw the noise: [n], complex64."""
        n0 = n0_from_snr_db(settings.snr_db)
        return standard_complex_normal(draw.rng, n) * np.float32((n0 / 2) ** 0.5)


class BernoulliGaussian(Noise):
    """Impulses in addition to white noise: each symbol gets CN(0, ratio x N0) with probability p.

    p = impulse_probability, ratio = 10^(impulse_ratio_db/10). Total mean power: N0 (1 + p ratio).
    (Ghosh, "Analysis of the effect of impulse noise on multicarrier and single carrier QAM systems", IEEE Trans.
    Commun. 44, 1996.)
    """

    def draw(self, draw: Draw, settings: ChannelSettings, n: int) -> Drawn:
        """Draw the impulses: [n], complex64; 0 for symbols without one."""
        rng = draw.rng
        power = n0_from_snr_db(settings.snr_db) * db_to_ratio(settings.impulse_ratio_db)
        impulses = standard_complex_normal(rng, n) * np.float32((power / 2) ** 0.5)
        return np.where(rng.random(n) < settings.impulse_probability, impulses, np.complex64(0))


class MiddletonA(Noise):
    """Middleton class A noise, white noise included: CN(0, sigma_m^2) for m overlapping impulses.

        P(m) = e^-A A^m / m!,   sigma_m^2 = N0 (m / A + Gamma) / (1 + Gamma),   E sigma_m^2 = N0

    A = middleton_a: mean number of overlapping impulses. Gamma = middleton_gamma: power of the Gaussian part over that
    of the impulses. (Middleton, "Statistical-physical models of electromagnetic interference", IEEE Trans. Electromagn.
    Compat. 19, 1977.) Symbols are independent.
    """

    def draw(self, draw: Draw, settings: ChannelSettings, n: int) -> Drawn:
        """Draw the noise: [n], complex64."""
        rng, a, gamma = draw.rng, settings.middleton_a, settings.middleton_gamma
        noise = standard_complex_normal(rng, n)
        variance = n0_from_snr_db(settings.snr_db) * (rng.poisson(a, n) / a + gamma) / (1 + gamma)
        return noise * np.sqrt(variance / 2).astype(np.float32)
