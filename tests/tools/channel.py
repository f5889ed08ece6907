"""What tests of the channel share: links, bursts, and stages that are off on purpose."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from shared.phy import ChannelSettings, Link, Sending
from shared.phy.channel.registry import STAGES
from shared.phy.channel.stage import Draw, Drawn, Signal, Stage
from shared.phy.conditions.settings import SELECTIVE
from shared.phy.power import mean_powers
from shared.types import Complex
from shared.units import db_to_ratio

HALF_DB = db_to_ratio(0.5) ** 0.5  # amplitude
ONE = np.ones(1, np.complex64)
ASKING = {  # for each stage settings that ask for it
    "rayleigh": ChannelSettings(fading="rayleigh"),
    "rician": ChannelSettings(fading="rician"),
    "kbsc": ChannelSettings(fading="kbsc"),
    "tdl": ChannelSettings(fading="tdl-a", waveform="ofdm"),
    "path_loss": ChannelSettings(path_loss_db=10),
    "shadowing": ChannelSettings(shadowing_db=8),
    "awgn": ChannelSettings(),
    "rapp": ChannelSettings(pa_backoff_db=3),
    "carrier_offset": ChannelSettings(phase_noise_hz=10),
    "bernoulli": ChannelSettings(impulses="bernoulli", impulse_probability=0.3),
    "middleton": ChannelSettings(impulses="middleton"),
    "tone": ChannelSettings(sir_db=10),
    "adc": ChannelSettings(adc_bits=4),
}
Spoil = Callable[[Drawn], Any]


def mean_power(symbols: Complex) -> float:
    """Mean power of one burst [n]."""
    return mean_powers(symbols[None])[0]


def link(**settings: Any) -> Link:
    """A link of the default settings but these; without noise unless `snr_db` says otherwise."""
    return Link.from_settings(ChannelSettings(**({"snr_db": math.inf, "seed": 2024} | settings)))


def burst(n: int = 64, seed: int = 1) -> Complex:
    """Gaussian symbols of about unit power: [n], complex64."""
    return np.random.default_rng(seed).standard_normal(2 * n, np.float32).view(np.complex64) * np.float32(0.5**0.5)


def allowed(fields: dict[str, Any]) -> ChannelSettings:
    """Settings of these fields; where fields do not fit together, some of them give way."""
    fields = ChannelSettings.model_construct(**fields).model_dump()
    if fields["fading"] in SELECTIVE:
        fields |= {"waveform": "ofdm", "coherence_symbols": 0}
    if fields["fading"] == "kbsc" or fields["doppler_hz"]:
        fields |= {"coherence_symbols": 0}
    if fields["fading"] == "kbsc":
        fields |= {"doppler_hz": 0.0}
    if not 1e-3 <= fields["good_to_bad"] + fields["bad_to_good"] <= 1.999:
        fields |= {"good_to_bad": 0.0}
    fields["cyclic_prefix_symbols"] = min(fields["cyclic_prefix_symbols"], fields["fft_size"])
    return ChannelSettings(**fields)


def received(of: Link, x: Complex, stream: int, counters: range) -> Complex:
    """Symbols that arrive when the same burst is sent again and again: [bursts, n], complex64."""
    return np.stack([sent.y for sent in of.transmit_many([Sending(x, stream, counter) for counter in counters])])


@dataclass(frozen=True, eq=False)
class Spoiled:
    """A stage whose draws, or whose settings, went wrong."""

    stage: Stage
    spoil: Spoil | None
    settings: dict[str, Any]

    def draw(self, draw: Draw, settings: ChannelSettings, n: int) -> Drawn:
        drawn = self.stage.draw(draw, settings.model_copy(update=self.settings), n)
        return drawn if self.spoil is None else np.asarray(self.spoil(drawn)).astype(drawn.dtype)

    def apply(self, signal: Signal, drawn: Drawn, settings: ChannelSettings) -> Signal:
        return self.stage.apply(signal, drawn, settings.model_copy(update=self.settings))


def with_stage(good: Link, name: str, stage: Stage) -> Link:
    """The same link with another stage in the place of `name`."""
    assert STAGES[name] in good.stages
    rows = (row._replace(stage=stage) if row is STAGES[name] else row for row in good.stages)
    return Link(good.settings, tuple(rows))


def spoiled(good: Link, name: str, spoil: Spoil | None = None, **settings: Any) -> Link:
    """The same link, where stage `name` spoils what it draws, or takes these for its settings."""
    return with_stage(good, name, Spoiled(STAGES[name].stage, spoil, settings))


@contextmanager
def refused() -> Iterator[None]:
    """The check inside must fail: what was planted was found."""
    with pytest.raises(AssertionError):
        yield
