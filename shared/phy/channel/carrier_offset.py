"""Residual carrier frequency and phase offset of the two oscillators, and their phase noise."""

import numpy as np

from shared.phy.channel.phase import phasor
from shared.phy.channel.stage import Draw, Drawn, Signal, Stage
from shared.phy.conditions.settings import ChannelSettings


class CarrierOffset(Stage):
    """Rotates symbol i of a burst by exp(j theta_i); part of the gain that perfect CSI includes.

        theta_i = phase_deg + 2 pi cfo_hz i T + w_i,   w_i = w_(i-1) + N(0, 2 pi phase_noise_hz T),   w_0 = 0

    T = 1 / symbol_rate_hz. w is a Wiener process: free-running oscillators with a Lorentzian spectrum, phase_noise_hz
    wide at half its height. (Demir, Mehrotra, Roychowdhury, "Phase noise in oscillators: a unifying theory", IEEE
    Trans. Circuits Syst. I 47, 2000.) The receiver is assumed to synchronise its phase at each burst's header, so theta
    starts at the burst's first symbol.
    """

    def draw(self, draw: Draw, settings: ChannelSettings, n: int) -> Drawn:
        """Draw the steps of w, radians: [n - 1], float64; [0] without phase noise."""
        variance = 2 * np.pi * settings.phase_noise_hz / settings.symbol_rate_hz
        return draw.rng.standard_normal(n - 1) * variance**0.5 if variance else np.empty(0)

    def apply(self, signal: Signal, drawn: Drawn, settings: ChannelSettings) -> Signal:
        """Rotate each symbol, or the whole burst by one phase if that is constant."""
        moves = settings.cfo_hz or settings.phase_noise_hz
        turns = settings.phase_deg / 360 + np.arange(signal.wanted.shape[1] if moves else 1) * (
            settings.cfo_hz / settings.symbol_rate_hz
        )
        steps = np.zeros((len(drawn), turns.size))
        steps[:, 1 : drawn.shape[1] + 1] = drawn
        return signal.times(phasor(turns + np.cumsum(steps, axis=1) / (2 * np.pi)))
