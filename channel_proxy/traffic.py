"""What passes the channel, counted."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from time import monotonic

from channel_proxy.control import ChannelControl
from channel_proxy.medium import Medium
from shared.burst import ChannelReport
from shared.traffic import ChannelStatistics
from shared.units import ratio_to_db


@dataclass(slots=True)
class Counts:
    """Counts since the start; fields as in ChannelStatistics, powers as sums over the bursts that were computed."""

    bursts: int = 0
    lost: int = 0
    duplicated: int = 0
    reordered: int = 0
    failed: int = 0
    resets: int = 0
    computed: int = 0
    signal_power: float = 0.0
    noise_power: float = 0.0


class Traffic:
    """The counts, and how many bursts are inside now."""

    def __init__(self) -> None:
        self.counts = Counts()
        self.in_flight = 0

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Count a burst as in flight; what the body raises counts as a failure."""
        self.counts.bursts += 1
        self.in_flight += 1
        try:
            yield
        except Exception:
            self.counts.failed += 1
            raise
        finally:
            self.in_flight -= 1

    def computed(self, report: ChannelReport) -> None:
        """Count the powers of a burst."""
        self.counts.computed += 1
        self.counts.signal_power += report.signal_power
        self.counts.noise_power += report.noise_power


class Watch:
    """Tells what happened since it last told."""

    def __init__(self, traffic: Traffic, control: ChannelControl, medium: Medium) -> None:
        self._traffic, self._control, self._medium = traffic, control, medium
        self._told, self._at = replace(traffic.counts), monotonic()

    def look(self) -> ChannelStatistics:
        """What happened since the last look, or the beginning."""
        before, self._told = self._told, replace(self._traffic.counts)
        since, self._at = self._at, monotonic()
        new = {field.name: getattr(self._told, field.name) - getattr(before, field.name) for field in fields(Counts)}
        bursts = new.pop("computed")
        powers = [new.pop(name) / max(bursts, 1) for name in ("signal_power", "noise_power")]
        scenario = self._control.scenario
        return ChannelStatistics(
            **new,
            seconds=self._at - since,
            settings=self._control.settings_now(),
            in_flight=self._traffic.in_flight,
            queued=self._medium.queued,
            signal_power=powers[0],
            noise_power=powers[1],
            snr_db_achieved=_snr_db(*powers) if bursts else None,
            schedule="" if scenario is None else scenario.name,
            schedule_seconds=self._control.stands_seconds,
        )


def _snr_db(signal_power: float, noise_power: float) -> float:
    return ratio_to_db(signal_power / noise_power) if noise_power else math.inf
