"""The link: a chain of stages that a burst passes.

    x --> [ fading: h x ] --> [ noise: + n ] --> y

Each stage draws from its own generator, keyed by (seed, stream, burst counter, stage number). So a change of the
fading leaves the noise of a burst as it was, and a change of the SNR only scales it.
"""

import math
from dataclasses import dataclass

import numpy as np

from shared.channel.randomness import generator
from shared.channel.registry import STAGES, Row
from shared.channel.settings import ChannelSettings
from shared.channel.stage import Signal
from shared.errors import InvalidSymbols
from shared.symbols import Complex, mean_power
from shared.units import n0_from_snr_db, ratio_to_db


@dataclass(frozen=True, slots=True)
class Transmission:
    """What the channel made of one burst. With seed, stream and counter it can be replayed bit for bit.

    y: [n], complex64, received symbols h x + n. gain: h. n0: noise power asked for, per complex symbol.
    signal_power: mean |h x|^2 of this burst. noise_power: mean |n|^2 of the noise that was drawn.
    snr_db_achieved: 10 log10(signal_power / noise_power), dB; +infinity without noise.
    """

    y: Complex
    gain: complex
    n0: float
    signal_power: float
    noise_power: float
    snr_db_achieved: float
    settings: ChannelSettings
    stream: int
    counter: int
    seconds: float
    air_symbols: int
    papr_db: float


@dataclass(frozen=True, slots=True)
class Link:
    """A channel of fixed settings. It holds no state, so threads may share it and any order of bursts is the same."""

    settings: ChannelSettings
    stages: tuple[Row, ...]

    @classmethod
    def from_settings(cls, settings: ChannelSettings) -> "Link":
        """Build the link that `settings` ask for; cheap."""
        return cls(settings, (STAGES[settings.fading], STAGES["awgn"]))

    def transmit(self, x: Complex, stream: int, counter: int) -> Transmission:
        """Send one burst.

        x: [n], complex64, unit mean power (the SNR is relative to Es = 1); left as it is, and returned itself as `y`
        by a link without fading and noise. stream, counter: which burst this is, 0 to 2^64 - 1.
        Raises InvalidSymbols when `x` is no burst.
        """
        if x.ndim != 1 or x.dtype != np.complex64 or not x.size:
            raise InvalidSymbols(
                f"a burst of shape {x.shape} and type {x.dtype}: send at least one symbol as complex64 [n]"
            )
        signal = Signal(x)
        for number, stage in self.stages:
            rng = generator(self.settings.seed, stream, counter, number)
            signal = stage.apply(signal, stage.draw(rng, self.settings, x.size))
        return self._report(signal, stream, counter)

    def _report(self, signal: Signal, stream: int, counter: int) -> Transmission:
        signal_power = mean_power(signal.wanted)
        noise_power = 0.0 if signal.noise is None else mean_power(signal.noise)
        return Transmission(
            y=signal.received,
            gain=signal.gain,
            n0=n0_from_snr_db(self.settings.snr_db),
            signal_power=signal_power,
            noise_power=noise_power,
            snr_db_achieved=ratio_to_db(signal_power / noise_power) if noise_power else math.inf,
            settings=self.settings,
            stream=stream,
            counter=counter,
            seconds=0.0,
            air_symbols=signal.wanted.size,
            papr_db=0.0,
        )
