"""Which channel is in force, and how it is changed while bursts pass."""

import asyncio
from collections.abc import Mapping
from time import monotonic
from typing import Any

import structlog

from shared.errors import InvalidSetting
from shared.frame.burst import Burst
from shared.frame.channel_records import ScheduleState
from shared.phy import ChannelSettings, Link
from shared.phy.channel.conditions import Conditions
from shared.phy.conditions.presets import preset_named
from shared.phy.conditions.schedule import Schedule
from shared.phy.conditions.settings import OF_THE_LINK

log = structlog.get_logger()


class ChannelControl:
    """Holds the conditions and replaces them whole, so that a burst sees the old ones or the new, never half of two."""

    def __init__(self, initial: ChannelSettings) -> None:
        self._initial = initial
        self._conditions = Conditions(initial)
        self._since = monotonic()
        self._stands_seconds = 0.0
        self._changing = asyncio.Lock()  # conditions are made in a thread: a long schedule takes half a second

    @property
    def settings(self) -> ChannelSettings:
        """The settings in force, without the schedule's changes."""
        return self._conditions.settings

    @property
    def schedule(self) -> Schedule | None:
        """The schedule that runs."""
        return self._conditions.schedule

    @property
    def stands_seconds(self) -> float:
        """Where the schedule stands: by the wall clock, or at the last burst."""
        if self.schedule is None:
            return 0.0
        return self._wall_seconds() if self.schedule.clock == "wall" else self._stands_seconds

    @property
    def schedule_state(self) -> ScheduleState:
        """The schedule that runs, and where it stands."""
        return ScheduleState(self.schedule, self.stands_seconds)

    def settings_now(self) -> ChannelSettings:
        """The settings in force, the schedule's changes included."""
        return self._conditions.at(self.stands_seconds)

    def link_for(self, burst: Burst) -> Link:
        """The link that a burst meets. Raises InvalidSetting naming a wrong field of its own settings, or one that is
        not its own to set.
        """
        self._require_own(burst.channel_override)
        conditions, symbols, wall_seconds = self._conditions, burst.symbols.size, self._wall_seconds()
        if conditions.schedule is not None:
            self._stands_seconds = conditions.seconds(symbols, burst.counter, wall_seconds)
        return conditions.link(symbols, burst.counter, burst.channel_override, wall_seconds)

    async def update(self, fields: Mapping[str, Any], preset: str = "") -> ChannelSettings:
        """Change some settings, of a preset's or of those in force; nothing changes when one of them is refused.

        Raises NotFound for a preset that is not there, InvalidSetting naming a wrong field.
        """
        async with self._changing:
            base = self.settings
            if preset:
                base = preset_named(preset).applied(base.seed)
            return self._replace(await asyncio.to_thread(Conditions, base.updated(**fields), self.schedule))

    async def reset(self) -> ChannelSettings:
        """Back to the settings of the start; a schedule ends."""
        async with self._changing:
            return self._replace(Conditions(self._initial))

    async def run(self, schedule: Schedule | None, keep: bool = False) -> None:
        """Start a schedule, its settings in force; None ends the one that runs and leaves the settings in force.

        keep: let the settings in force stay, and lay only the changes over them.
        Raises InvalidSetting naming a change that does not fit; then nothing changes.
        """
        async with self._changing:
            settings = self.settings if schedule is None or keep else schedule.base()
            self._replace(await asyncio.to_thread(Conditions, settings, schedule))
            self._since, self._stands_seconds = monotonic(), 0.0

    def _require_own(self, override: Mapping[str, Any]) -> None:
        real = self.settings.airtime == "real"  # then a burst that is long on the air holds up the others
        for name in override:
            if name in OF_THE_LINK or (real and name == "symbol_rate_hz"):
                raise InvalidSetting(
                    f"{name} = {override[name]} of one burst: it concerns all bursts on the link, so it is set for the "
                    f"channel, for example by `semlink channel set --{name.replace('_', '-')}`"
                )

    def _wall_seconds(self) -> float:
        return monotonic() - self._since

    def _replace(self, conditions: Conditions) -> ChannelSettings:
        self._conditions = conditions
        schedule = conditions.schedule
        log.info(
            "channel", schedule=schedule and schedule.name, **conditions.settings.model_dump(exclude_defaults=True)
        )
        return conditions.settings
