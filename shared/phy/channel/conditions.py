"""Channel settings of each burst, by increasing priority.

settings in force  <  schedule at the time of the burst  <  override of the burst
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from shared.phy.channel.link import Link
from shared.phy.channel.ofdm import air_symbols
from shared.phy.conditions.schedule import Schedule
from shared.phy.conditions.settings import ChannelSettings

_Layers = tuple[tuple[str, Any], ...]


class Conditions:
    """Settings in force and the schedule that changes them; immutable.

    settings: those in force. schedule: its changes apply on top of them; the caller puts its initial settings in force.
    Raises InvalidSetting for changes that conflict with the settings.
    """

    def __init__(self, settings: ChannelSettings, schedule: Schedule | None = None) -> None:
        self.settings = settings
        self.schedule = schedule
        self._timeline = None if schedule is None else schedule.timeline(settings)
        self._link = Link.from_settings(settings)
        self._layered = lru_cache(maxsize=1024)(self._build)

    def link(self, symbols: int, counter: int, override: Mapping[str, Any], wall_seconds: float = 0.0) -> Link:
        """The link of a burst.

        symbols: of the burst, pilots included. counter: its number. override: settings of this burst alone.
        wall_seconds: since the schedule was started. Raises InvalidSetting naming a wrong field of the override.
        """
        layers = override
        if self._timeline is not None:
            layers = self._timeline.at(self.seconds(symbols, counter, wall_seconds)) | dict(override)
        return self._layered(tuple(layers.items())) if layers else self._link

    def seconds(self, symbols: int, counter: int, wall_seconds: float) -> float:
        """Time of a burst on the schedule's clock."""
        if self.schedule is not None and self.schedule.clock == "wall":
            return wall_seconds
        return counter * self.settings.interval_seconds(air_symbols(self.settings.grid, symbols))

    def at(self, seconds: float) -> ChannelSettings:
        """The settings in force at a time of the schedule's clock."""
        return self.settings if self._timeline is None else self.settings.updated(**self._timeline.at(seconds))

    def _build(self, layers: _Layers) -> Link:
        return Link.from_settings(self.settings.updated(**dict(layers)))
