"""The settings of the channel, validated at the edge."""

import math
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from shared.errors import InvalidSetting

FadingName = Literal["none", "rayleigh"]
"""The fading stages of `shared.channel.registry`."""


def _check_snr(snr_db: float) -> float:
    if -50 <= snr_db <= 100 or snr_db == math.inf:
        return snr_db
    raise ValueError("out of range")


class ChannelSettings(BaseModel):
    """What the channel is asked to do. Each description ends in the field's range."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    snr_db: Annotated[float, AfterValidator(_check_snr)] = Field(
        10.0, description="average Es/N0 in dB: -50 to 100, or inf for no noise"
    )
    fading: FadingName = Field("none", description="how the gain varies: none or rayleigh (one complex gain per burst)")
    seed: int = Field(0, ge=0, lt=1 << 64, description="seed of every random draw: an integer, 0 to 2^64 - 1")
    symbol_rate_hz: float = Field(1e6, ge=1, le=1e12, allow_inf_nan=False, description="symbols per second: 1 to 1e12")
    propagation_seconds: float = Field(
        0.0, ge=0, le=10, allow_inf_nan=False, description="one-way propagation delay in seconds: 0 to 10"
    )

    def updated(self, **fields: Any) -> "ChannelSettings":
        """Return these settings with `fields` changed; a field that is None stays as it is.

        Raises InvalidSetting naming each wrong field, its value and its range.
        """
        changes = {name: value for name, value in fields.items() if value is not None}
        try:
            return ChannelSettings.model_validate(self.model_dump() | changes)
        except ValidationError as error:
            raise InvalidSetting(_explain(error)) from error


def _explain(error: ValidationError) -> str:
    return "; ".join(f"{item['loc'][0]} = {item['input']!r}: {_range(str(item['loc'][0]))}" for item in error.errors())


def _range(name: str) -> str:
    known = ChannelSettings.model_fields
    if name not in known:
        return f"no such setting of the channel; choose from {', '.join(known)}"
    return f"refused; {known[name].description}"
