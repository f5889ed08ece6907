"""The table of stages, in the order of the link.

The number of a stage is part of every draw (see `randomness`): it never changes and is never reused, or
recorded bursts can no longer be replayed. A new stage takes the next free number, at any place in the order.
13 and 14 belong to `faults`.
"""

import math
from collections.abc import Callable
from typing import Final, NamedTuple

from shared.phy.channel.adc import Adc
from shared.phy.channel.amplifier import Rapp
from shared.phy.channel.carrier_offset import CarrierOffset
from shared.phy.channel.fading import Kbsc, Rayleigh, Rician
from shared.phy.channel.interference import Tone
from shared.phy.channel.noise import Awgn, BernoulliGaussian, MiddletonA
from shared.phy.channel.shadowing import PathLoss, Shadowing
from shared.phy.channel.stage import Stage
from shared.phy.channel.tdl import TappedDelayLine
from shared.phy.conditions.settings import SELECTIVE, ChannelSettings


class Row(NamedTuple):
    """A stage, the number of its draws, and whether given settings need it."""

    number: int
    stage: Stage
    wanted: Callable[[ChannelSettings], bool]


def _noisy(settings: ChannelSettings) -> bool:
    return settings.snr_db < math.inf


def _turns(settings: ChannelSettings) -> bool:
    return any((settings.cfo_hz, settings.phase_deg, settings.phase_noise_hz))


STAGES: Final[dict[str, Row]] = {
    "rapp": Row(8, Rapp(), lambda settings: settings.pa_backoff_db < math.inf),
    "path_loss": Row(7, PathLoss(), lambda settings: settings.path_loss_db != 0),
    "shadowing": Row(6, Shadowing(), lambda settings: settings.shadowing_db > 0),
    "rayleigh": Row(1, Rayleigh(), lambda settings: settings.fading == "rayleigh"),
    "rician": Row(3, Rician(), lambda settings: settings.fading == "rician"),
    "kbsc": Row(4, Kbsc(), lambda settings: settings.fading == "kbsc"),
    "tdl": Row(5, TappedDelayLine(), lambda settings: settings.fading in SELECTIVE),
    "carrier_offset": Row(9, CarrierOffset(), _turns),
    "awgn": Row(2, Awgn(), lambda settings: _noisy(settings) and settings.impulses != "middleton"),
    "bernoulli": Row(10, BernoulliGaussian(), lambda settings: _noisy(settings) and settings.impulses == "bernoulli"),
    "middleton": Row(15, MiddletonA(), lambda settings: _noisy(settings) and settings.impulses == "middleton"),
    "tone": Row(11, Tone(), lambda settings: settings.sir_db < math.inf),
    "adc": Row(12, Adc(), lambda settings: settings.adc_bits > 0),
}


def stages_of(settings: ChannelSettings) -> tuple[Row, ...]:
    """The stages that the settings need, in order; none for the ideal channel."""
    return tuple(row for row in STAGES.values() if row.wanted(settings))
