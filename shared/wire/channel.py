"""The channel's settings to protobuf messages and back, all of them or those that an override sets."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from protos.semlink.v1 import common_pb2 as common
from shared.phy import ChannelSettings
from shared.wire.converter import mapping_to_message, message_to_mapping, register


@lru_cache(maxsize=4096)
def settings_to_wire(settings: ChannelSettings) -> common.ChannelSettings:
    """All settings of the channel. The message is shared: copy it before a change."""
    return mapping_to_message(settings.model_dump(), common.ChannelSettings)


def settings_from_wire(message: common.ChannelSettings) -> ChannelSettings:
    """All settings of the channel, from a message that may hold some; the others are the defaults."""
    return _settings_from_bytes(message.SerializeToString(deterministic=True))  # 3 us; validation takes 30


@lru_cache(maxsize=4096)
def _settings_from_bytes(message: bytes) -> ChannelSettings:
    return ChannelSettings().updated(**message_to_mapping(common.ChannelSettings.FromString(message)))


def override_to_wire(override: Mapping[str, Any] | common.ChannelSettings) -> common.ChannelSettings | None:
    """Some settings of the channel; None for none. A message that was left unread is passed on.

    Raises InvalidSetting for a value that no message can hold.
    """
    if isinstance(override, common.ChannelSettings):
        return override
    given = {name: value for name, value in override.items() if value is not None}
    return mapping_to_message(given, common.ChannelSettings) if given else None


register(ChannelSettings, settings_to_wire, settings_from_wire)
