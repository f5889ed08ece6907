"""What happened in the channel since one last looked."""

import math
from dataclasses import fields, replace
from time import monotonic

from channel_proxy.control import ChannelControl
from channel_proxy.counters import Counts, Traffic
from channel_proxy.queue import Medium
from shared.frame.channel_records import ChannelStatistics
from shared.units import ratio_to_db


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
