"""Which channel is in force, and how it is changed while bursts pass."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import structlog

from shared.channel import ChannelSettings, Link

log = structlog.get_logger()


@lru_cache(maxsize=1024)
def _overridden(settings: ChannelSettings, override: tuple[tuple[str, Any], ...]) -> Link:
    return Link.from_settings(settings.updated(**dict(override)))


class ChannelControl:
    """Holds one link and replaces it whole, so that a burst sees the old settings or the new, never half of two."""

    def __init__(self, initial: ChannelSettings) -> None:
        self._initial = initial
        self._link = Link.from_settings(initial)

    @property
    def settings(self) -> ChannelSettings:
        """The settings in force."""
        return self._link.settings

    def link_for(self, override: Mapping[str, Any]) -> Link:
        """The link in force, with a burst's own settings over it. Raises InvalidSetting naming a wrong field."""
        return _overridden(self.settings, tuple(override.items())) if override else self._link

    def update(self, fields: Mapping[str, Any]) -> ChannelSettings:
        """Change some settings; nothing changes when one of them is refused."""
        return self._replace(self.settings.updated(**fields))

    def reset(self) -> ChannelSettings:
        """Back to the settings of the start."""
        return self._replace(self._initial)

    def _replace(self, settings: ChannelSettings) -> ChannelSettings:
        self._link = Link.from_settings(settings)
        log.info("channel", **settings.model_dump())
        return settings
