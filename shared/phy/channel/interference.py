"""Interference by other transmitters."""

import numpy as np

from shared.phy.channel.phase import phasor
from shared.phy.channel.stage import Draw, Drawn, Signal, Stage
from shared.phy.conditions.settings import ChannelSettings
from shared.units import db_to_ratio


class Tone(Stage):
    """A narrow-band interferer: a carrier of its own, 10^(-sir_db/10) of power for Es = 1, interferer_hz away.

        n_i = 10^(-sir_db/20) exp(j (2 pi interferer_hz i T + phi)),   T = 1 / symbol_rate_hz

    phi is uniform, one for each burst. Fading and path loss of the wanted signal do not affect the interferer.
    (Simon, Omura, Scholtz, Levitt, "Spread Spectrum Communications Handbook": single-tone jamming.)
    """

    def draw(self, draw: Draw, settings: ChannelSettings, n: int) -> Drawn:  # noqa: ARG002
        """Draw phi, turns: [1], float64."""
        return draw.rng.random(1)

    def apply(self, signal: Signal, drawn: Drawn, settings: ChannelSettings) -> Signal:
        """Add the tone as noise."""
        turns = drawn + np.arange(signal.wanted.shape[1]) * (settings.interferer_hz / settings.symbol_rate_hz)
        return signal.plus(phasor(turns) * np.float32(db_to_ratio(-settings.sir_db) ** 0.5))
