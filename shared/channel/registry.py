"""The table of stages, in the order in which a burst meets them.

The number of a stage is part of every draw (see `randomness`): it never changes and is never given to another stage,
or recorded bursts can no longer be replayed. A new stage takes the next free number, wherever it stands in the order.
"""

import math
from collections.abc import Callable
from typing import Final, NamedTuple

from shared.channel.fading import Kbsc, Rayleigh, Rician
from shared.channel.noise import Awgn
from shared.channel.settings import SELECTIVE, ChannelSettings
from shared.channel.shadowing import PathLoss, Shadowing
from shared.channel.stage import Stage
from shared.channel.tdl import TappedDelayLine


class Row(NamedTuple):
    """A stage, the number under which it draws, and whether some settings ask for it."""

    number: int
    stage: Stage
    wanted: Callable[[ChannelSettings], bool]


STAGES: Final[dict[str, Row]] = {
    "path_loss": Row(7, PathLoss(), lambda settings: settings.path_loss_db != 0),
    "shadowing": Row(6, Shadowing(), lambda settings: settings.shadowing_db > 0),
    "rayleigh": Row(1, Rayleigh(), lambda settings: settings.fading == "rayleigh"),
    "rician": Row(3, Rician(), lambda settings: settings.fading == "rician"),
    "kbsc": Row(4, Kbsc(), lambda settings: settings.fading == "kbsc"),
    "tdl": Row(5, TappedDelayLine(), lambda settings: settings.fading in SELECTIVE),
    "awgn": Row(2, Awgn(), lambda settings: settings.snr_db < math.inf),
}


def stages_of(settings: ChannelSettings) -> tuple[Row, ...]:
    """The stages that some settings ask for, in their order; none for the ideal channel."""
    return tuple(row for row in STAGES.values() if row.wanted(settings))
