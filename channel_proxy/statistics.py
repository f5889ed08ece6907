"""Statistics of the channel over the time between two calls."""

import math
from dataclasses import fields, replace
from functools import partial
from time import monotonic
from typing import Final

from channel_proxy.control import ChannelControl
from channel_proxy.counters import Counters
from channel_proxy.queue import AirQueue
from shared.frame.channel_records import ChannelStatistics
from shared.observe.metrics import BURSTS, FAULTS, QUEUED, SNR_ASKED
from shared.units import ratio_to_db

_FAULTS: Final = ("lost", "duplicated", "reordered", "failed", "resets")


class StatisticsWatch:
    """Statistics since the previous call."""

    def __init__(self, counters: Counters, control: ChannelControl, queue: AirQueue) -> None:
        self._counters, self._control, self._queue = counters, control, queue
        self._told, self._at = replace(counters), monotonic()

    def read(self) -> ChannelStatistics:
        """Statistics since the previous call, or the beginning."""
        before, self._told = self._told, replace(self._counters)
        since, self._at = self._at, monotonic()
        new = {field.name: getattr(self._told, field.name) - getattr(before, field.name) for field in fields(Counters)}
        new["in_flight"] = self._told.in_flight
        bursts = new.pop("computed")
        powers = [new.pop(name) / max(bursts, 1) for name in ("signal_power", "noise_power")]
        schedule = self._control.schedule
        return ChannelStatistics(
            **new,
            seconds=self._at - since,
            settings=self._control.settings_now(),
            queued=self._queue.queued,
            signal_power=powers[0],
            noise_power=powers[1],
            snr_db_achieved=_snr_db(*powers) if bursts else None,
            schedule="" if schedule is None else schedule.name,
            schedule_seconds=self._control.stands_seconds,
        )


def export(counters: Counters, control: ChannelControl, queue: AirQueue) -> None:
    """Let Prometheus read the counts, the SNR in force and the queue."""
    BURSTS.read_from(lambda: counters.bursts)
    for fault in _FAULTS:
        FAULTS.read_from(partial(getattr, counters, fault), fault)
    SNR_ASKED.read_from(lambda: control.settings_now().snr_db)
    QUEUED.read_from(lambda: queue.queued)


def _snr_db(signal_power: float, noise_power: float) -> float:
    return ratio_to_db(signal_power / noise_power) if noise_power else math.inf
