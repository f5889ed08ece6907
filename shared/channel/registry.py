"""The table of stages.

The number of a stage is part of every draw (see `randomness`): it never changes and is never given to another stage,
or recorded bursts can no longer be replayed. A new stage takes the next free number.
"""

from typing import Final, NamedTuple

from shared.channel.fading import NoFading, Rayleigh
from shared.channel.noise import Awgn
from shared.channel.stage import Stage


class Row(NamedTuple):
    """A stage and the number under which it draws."""

    number: int
    stage: Stage


STAGES: Final[dict[str, Row]] = {
    "none": Row(0, NoFading()),
    "rayleigh": Row(1, Rayleigh()),
    "awgn": Row(2, Awgn()),
}
