"""The link: a chain of stages that every burst passes.

    x --> [ modulate ] --> [ amplifier ] --> [ fading: h x ] --> [ carrier offset ] --> [ noise: + n ] --> [ ADC ]
      --> [ demodulate ] --> y

Each stage draws from its own generator, keyed by (seed, stream, burst counter, stage number). So a
change of the fading leaves the noise of a burst unchanged, and a change of the SNR only scales it. The ideal link is a
link without stages.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from shared.errors import InvalidSetting, InvalidSymbols
from shared.phy.channel.amplifier import papr_db
from shared.phy.channel.ofdm import demodulate_signal, modulate
from shared.phy.channel.registry import Row, stages_of
from shared.phy.channel.stage import Draw, Drawn, Signal
from shared.phy.conditions.settings import ChannelSettings
from shared.phy.power import mean_powers
from shared.types import Complex
from shared.units import n0_from_snr_db, ratio_to_db

_LAST: Final = (1 << 64) - 1


class Sending(NamedTuple):
    """One burst to send. x: [n], complex64, unit mean power. stream, counter: which burst this is, 0 to 2^64 - 1."""

    x: Complex
    stream: int
    counter: int


class Transmission(NamedTuple):
    """Result of one burst. Settings, stream and counter suffice to replay it bit for bit.

    y: [n], complex64, received symbols h x + n. gain: [1] or [n], complex64, h. n0: noise power asked for, per complex
    symbol. signal_power: mean |h x|^2 of this burst. noise_power: mean power of its noise and distortion.
    snr_db_achieved: 10 log10(signal_power / noise_power), dB; +infinity without noise. seconds: its start.
    air_symbols: channel uses, including those of the waveform. papr_db: at the output of the amplifier.
    """

    y: Complex
    gain: Complex
    n0: float
    signal_power: float
    noise_power: float
    settings: ChannelSettings
    stream: int
    counter: int
    seconds: float
    air_symbols: int
    papr_db: float

    @property
    def snr_db_achieved(self) -> float:
        """Signal power over noise power of this burst, dB."""
        return ratio_to_db(self.signal_power / self.noise_power) if self.noise_power else math.inf


@dataclass(frozen=True, slots=True)
class Link:
    """A channel of fixed settings. It is stateless, so threads may share it and the order of bursts does not matter."""

    settings: ChannelSettings
    stages: tuple[Row, ...]

    @classmethod
    def from_settings(cls, settings: ChannelSettings) -> "Link":
        """Build the link of `settings`; cheap."""
        return cls(settings, stages_of(settings))

    def transmit(self, x: Complex, stream: int, counter: int) -> Transmission:
        """Send one burst.

        x: [n], complex64, unit mean power (the SNR is relative to Es = 1). It is not modified; `y` may be a view of it.
        stream, counter: which burst this is, 0 to 2^64 - 1. Raises InvalidSymbols when `x` is no burst, InvalidSetting
        for a stream or counter that is out of range.
        """
        return self.transmit_many([Sending(x, stream, counter)])[0]

    def transmit_many(self, sendings: Sequence[Sending]) -> list[Transmission]:
        """Send bursts of one length together; each result equals that of `transmit` bit for bit.

        Raises InvalidSymbols when one is no burst or the lengths differ, InvalidSetting as `transmit` does.
        """
        x, grid = _stacked(sendings), self.settings.grid
        samples = x if grid is None else modulate(grid, x)
        signal = self._pass(samples, sendings)
        launched = samples if signal.launched is None else signal.launched
        if grid is not None:  # without stages, rounding errors of the transform must not count as noise
            signal = demodulate_signal(grid, signal, x) if self.stages else signal._replace(wanted=x)
        return self._report(signal, launched, sendings)

    def _pass(self, samples: Complex, sendings: Sequence[Sending]) -> Signal:
        """Apply all stages to samples [B, n]."""
        seed, n = self.settings.seed, samples.shape[1]
        interval = self.settings.interval_seconds(n)
        signal = Signal(samples, None, np.ones((len(samples), 1), np.complex64))
        for number, stage, _ in self.stages:
            draws = [Draw(seed, stream, counter, number, interval) for _, stream, counter in sendings]
            drawn = _rows([stage.draw(draw, self.settings, n) for draw in draws])
            signal = stage.apply(signal, drawn, self.settings)
        return signal

    def _report(self, signal: Signal, launched: Complex, sendings: Sequence[Sending]) -> list[Transmission]:
        air = launched.shape[1]
        interval = self.settings.interval_seconds(air)
        n0, peaks_db = n0_from_snr_db(self.settings.snr_db), papr_db(launched).tolist()
        noise_powers = [0.0] * len(sendings) if signal.noise is None else mean_powers(signal.noise)
        rows = zip(signal.received, signal.gain, mean_powers(signal.wanted), noise_powers, peaks_db, strict=True)
        return [
            Transmission(y, gain, n0, power, noise, self.settings, stream, counter, counter * interval, air, peak_db)
            for (_, stream, counter), (y, gain, power, noise, peak_db) in zip(sendings, rows, strict=True)
        ]


def _rows(arrays: Sequence[Drawn]) -> Drawn:
    """Stack to [B, ...]; a single array without a copy."""
    return arrays[0][None] if len(arrays) == 1 else np.stack(arrays)


def _stacked(sendings: Sequence[Sending]) -> Complex:
    """Symbols of all bursts: [B, n], complex64. Raises as `Link.transmit_many` does."""
    for x, stream, counter in sendings:
        if x.ndim != 1 or x.dtype != np.complex64 or not x.size:
            raise InvalidSymbols(
                f"a burst of shape {x.shape} and type {x.dtype}: send at least one symbol as complex64 [n]"
            )
        if not (0 <= stream <= _LAST and 0 <= counter <= _LAST):
            raise InvalidSetting(f"stream {stream}, counter {counter}: each must be an integer from 0 to 2^64 - 1")
    if len({sending.x.size for sending in sendings}) != 1:
        raise InvalidSymbols("bursts of different lengths: give one call bursts of one length")
    return _rows([sending.x for sending in sendings])
