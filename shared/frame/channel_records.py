"""What the channel tells of its traffic and its schedule."""

from dataclasses import dataclass
from typing import NamedTuple

from shared.frame.burst import Burst
from shared.frame.reception import ChannelReport
from shared.phy import ChannelSettings
from shared.phy.conditions.schedule import Schedule
from shared.types import Complex


@dataclass(frozen=True, slots=True)
class RecordedBurst:
    """One burst as it passed the channel.

    burst: as the receiver got it. sent: its symbols before, [n], complex64, where they were asked for. lost: it never
    reached the receiver.
    """

    burst: Burst
    sent: Complex | None
    report: ChannelReport
    lost: bool


class ScheduleState(NamedTuple):
    """The schedule that runs, None without one; seconds: where it stands."""

    schedule: Schedule | None
    seconds: float


@dataclass(frozen=True, slots=True)
class ChannelStatistics:
    """What happened in the last `seconds`, and what is in force now.

    settings: the schedule's changes included. bursts: that entered; of these lost, duplicated, reordered; failed: with
    another failure than a loss. resets: of the connection to the receiver. in_flight: bursts inside now; queued: of
    these, those that wait for the air. signal_power, noise_power: means over the bursts. snr_db_achieved: 10 log10 of
    their ratio; None without bursts. schedule, schedule_seconds: the schedule that runs, and where it stands.
    """

    seconds: float
    settings: ChannelSettings
    bursts: int
    lost: int
    duplicated: int
    reordered: int
    failed: int
    resets: int
    in_flight: int
    queued: int
    signal_power: float
    noise_power: float
    snr_db_achieved: float | None
    schedule: str
    schedule_seconds: float
