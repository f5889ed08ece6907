"""The queue for the air, which one burst occupies at a time."""

import asyncio
from time import monotonic

from shared.ledger import Entry, Kind, Stage
from shared.phy import ChannelSettings
from shared.runtime.deadline import Deadline


class AirQueue:
    """One direction of the air, where airtime and propagation are real.

    queued: bursts that wait until it is free.
    """

    def __init__(self) -> None:
        self.queued = 0
        self._turn = asyncio.Lock()  # lets waiters in by order of arrival
        self._free_at = 0.0

    async def cross(self, settings: ChannelSettings, air_symbols: int, deadline: Deadline) -> tuple[Entry, ...]:
        """Be on the air, and on the way, and wait for both. Returns what that took. Raises Expired."""
        airtime, propagation = settings.airtime_seconds(air_symbols), settings.propagation_seconds
        arrived = monotonic()
        async with deadline.enforced():
            left_at = await self._occupy(arrived, airtime)
            await _sleep_until(left_at + propagation)
        queued = monotonic() - arrived - airtime - propagation  # a timer that wakes late counts as waiting
        return (
            Entry(Stage.AIR_QUEUE, max(0.0, queued)),
            Entry(Stage.AIRTIME, airtime),
            Entry(Stage.PROPAGATION, propagation),
        )

    async def _occupy(self, arrived: float, seconds: float) -> float:
        """Wait for the air and hold it; when it was left. Late timers do not add up: the next one starts on time."""
        self.queued += 1
        try:
            await self._turn.acquire()
        finally:
            self.queued -= 1
        try:
            left_at = self._free_at = max(arrived, self._free_at) + seconds
            await _sleep_until(left_at)
        finally:
            self._turn.release()
        return left_at


def emulated(settings: ChannelSettings, air_symbols: int) -> tuple[Entry, ...]:
    """What being on the air, and on the way, would take."""
    return (
        Entry(Stage.AIRTIME, settings.airtime_seconds(air_symbols), Kind.EMULATED),
        Entry(Stage.PROPAGATION, settings.propagation_seconds, Kind.EMULATED),
    )


async def _sleep_until(moment: float) -> None:
    left = moment - monotonic()
    if left > 0:
        await asyncio.sleep(left)
