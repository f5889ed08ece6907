"""Settings of the channel proxy."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.channel import ChannelSettings, FadingName
from shared.config import ServerSettings

_CHANNEL = ChannelSettings.model_fields


class ProxySettings(ServerSettings):
    """Flags of `python -m channel_proxy`, or environment variables SEMLINK_CHANNEL_*."""

    model_config = SettingsConfigDict(env_prefix="SEMLINK_CHANNEL_")

    port: int = Field(50052, ge=0, le=65535, description="port to listen on; 0 lets the system choose")
    receiver_address: str = Field("127.0.0.1:50053", description="HOST:PORT of the receiver")
    max_in_flight: int = Field(256, ge=1, le=65536, description="bursts of one stream at work; beyond it senders wait")
    snr_db: float = Field(10.0, description=_CHANNEL["snr_db"].description)
    fading: FadingName = Field("none", description=_CHANNEL["fading"].description)
    seed: int = Field(0, description=_CHANNEL["seed"].description)
    symbol_rate_hz: float = Field(1e6, description=_CHANNEL["symbol_rate_hz"].description)
    propagation_seconds: float = Field(0.0, description=_CHANNEL["propagation_seconds"].description)

    def channel(self) -> ChannelSettings:
        """The channel's settings at the start. Raises InvalidSetting for a value out of range."""
        return ChannelSettings().updated(**{name: getattr(self, name) for name in _CHANNEL})
