"""Settings of the channel proxy."""

from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict

from shared.phy import ChannelSettings
from shared.phy.conditions.settings import FadingSettings, FaultSettings, NoiseSettings
from shared.runtime.config import CallingSettings


class ProxySettings(FaultSettings, NoiseSettings, FadingSettings, CallingSettings):
    """Flags of `python -m channel_proxy`, or environment variables SEMLINK_CHANNEL_*."""

    model_config = SettingsConfigDict(env_prefix="SEMLINK_CHANNEL_")

    port: int = Field(50052, ge=0, le=65535, description="port to listen on; 0 lets the system choose")
    receiver_address: str = Field("127.0.0.1:50053", description="HOST:PORT of the receiver")
    receiver_streams: int = Field(
        1, ge=1, le=256, description="streams to the receiver; with several receivers of one name, a few for each"
    )
    max_in_flight: int = Field(256, ge=1, le=65536, description="bursts of one stream at work; beyond it senders wait")
    seed: int = Field(0, description=ChannelSettings.model_fields["seed"].description)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        self.channel()
        return self

    def channel(self) -> ChannelSettings:
        """The channel's settings at the start. Raises InvalidSetting for values that do not fit together."""
        return ChannelSettings().updated(**{name: getattr(self, name) for name in ChannelSettings.model_fields})
