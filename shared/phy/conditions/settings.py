"""The settings of the channel, validated at the edge.

One flat table in three groups: fading; noise and hardware; airtime and faults.
"""

import math
from typing import Annotated, Any, Final, Literal, NamedTuple, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from shared.errors import InvalidSetting
from shared.printable import joined, shortened, shown
from shared.quantity import without_unit

FadingName = Literal["none", "rayleigh", "rician", "kbsc", "tdl-a", "tdl-b", "tdl-c", "tdl-d", "tdl-e"]
WaveformName = Literal["single", "ofdm"]
ImpulsesName = Literal["none", "bernoulli", "middleton"]
JitterName = Literal["uniform", "normal", "exponential"]
AirtimeName = Literal["virtual", "real"]

GUARD_SYMBOLS: Final = 16
"""From the end of one burst to the start of the next, where they go out back to back; nothing is sent in between."""

SELECTIVE: Final = tuple(name for name in get_args(FadingName) if name.startswith("tdl-"))
"""Frequency-selective fadings."""

OF_THE_LINK: Final = ("airtime", "stall_probability", "stall_seconds", "reset_probability", "blackout")
"""Settings that concern every burst on the link, so no burst sets them for itself."""

_LEAST_RENEWAL: Final = 1e-3
"""Share of bursts at which the Gilbert-Elliott chain must forget its past: finding its state searches back to one."""


class Grid(NamedTuple):
    """OFDM grid; symbols fill it in the order of subcarriers, one OFDM symbol after the other."""

    fft_size: int
    cyclic_prefix_symbols: int


def _finite_or_inf(low: float, high: float) -> AfterValidator:
    def check(value: float) -> float:
        if low <= value <= high or value == math.inf:
            return value
        raise ValueError(f"give {low:g} to {high:g}, or inf")

    return AfterValidator(check)


def _power_of_two(value: int) -> int:
    if value & (value - 1):
        raise ValueError("not a power of 2")
    return value


def _number(default: float, low: float, high: float, description: str) -> Any:
    """A field for a finite number whose description ends in its range."""
    text = f"{description}: {low:g} to {high:g}"
    return Field(default, ge=low, le=high, allow_inf_nan=False, description=text)


def _count(default: int, low: int, high: int, description: str) -> Any:
    return Field(default, ge=low, le=high, description=f"{description}: {low} to {high}")


class _Settings(BaseModel):
    @field_validator("*", mode="before")
    @classmethod
    def _read_unit(cls, value: Any, info: ValidationInfo) -> Any:
        return without_unit(str(info.field_name), value) if isinstance(value, str) else value


class FadingSettings(_Settings):
    """Multiplicative effects."""

    fading: FadingName = Field(
        "none", description="how the gain varies: none, rayleigh, rician, kbsc, or tdl-a to tdl-e (with waveform ofdm)"
    )
    rician_k_db: float = _number(6.0, -40, 40, "Rician factor K, power of the line of sight over the scatter, dB")
    coherence_symbols: int = _count(0, 0, 1 << 16, "symbols under one gain of rayleigh or rician, 0 for all")
    doppler_hz: float = _number(0.0, 0, 1e6, "greatest Doppler shift, Clarke's spectrum, 0 for no motion, Hz")
    burst_interval_seconds: float = _number(
        0.0, 0, 3600, "from the start of one burst to the next, 0 for its airtime and a guard, seconds"
    )
    shadowing_db: float = _number(0.0, 0, 20, "standard deviation of log-normal shadowing, mean power kept, dB")
    shadowing_bursts: int = _count(1, 1, 1 << 20, "bursts that share one shadowing")
    path_loss_db: float = _number(0.0, -100, 200, "loss of every symbol, relative to the Es of snr_db, dB")
    delay_spread_seconds: float = _number(1e-6, 0, 1e-3, "RMS delay spread of tdl-a to tdl-e, seconds")
    waveform: WaveformName = Field("single", description="how symbols are put on the air: single (carrier) or ofdm")
    fft_size: Annotated[int, AfterValidator(_power_of_two)] = Field(
        64, ge=16, le=4096, description="subcarriers of ofdm: a power of 2, 16 to 4096"
    )
    cyclic_prefix_symbols: int = _count(16, 0, 1024, "cyclic prefix of ofdm, at most fft_size")


class NoiseSettings(_Settings):
    """Additive noise and hardware impairments."""

    snr_db: Annotated[float, _finite_or_inf(-50, 100)] = Field(
        10.0, description="average Es/N0 in dB: -50 to 100, or inf for no noise"
    )
    impulses: ImpulsesName = Field("none", description="impulsive noise: none, bernoulli or middleton")
    impulse_probability: float = _number(0.01, 0, 1, "share of symbols that a Bernoulli-Gaussian impulse hits")
    impulse_ratio_db: float = _number(20.0, 0, 60, "power of such an impulse over N0, dB")
    middleton_a: float = _number(0.1, 1e-4, 10, "overlap index A of Middleton class A noise")
    middleton_gamma: float = _number(0.01, 1e-6, 10, "power of its Gaussian part over its impulsive part")
    cfo_hz: float = _number(0.0, -1e6, 1e6, "carrier-frequency offset, Hz")
    phase_deg: float = _number(0.0, -180, 180, "phase offset, degrees")
    phase_noise_hz: float = _number(0.0, 0, 1e6, "linewidth of the oscillators' Wiener phase noise, Hz")
    pa_backoff_db: Annotated[float, _finite_or_inf(-10, 40)] = Field(
        math.inf,
        description="Rapp power amplifier: saturation over Es in dB, -10 to 40, or inf for a linear one",
    )
    pa_smoothness: float = _number(2.0, 0.5, 10, "smoothness p of the Rapp amplifier")
    adc_bits: int = _count(0, 0, 16, "bits of the receiver's ADC, 0 for no quantization")
    adc_clip_db: float = _number(12.0, -10, 40, "full scale of the ADC over the rms of I and Q, dB")
    sir_db: Annotated[float, _finite_or_inf(-50, 100)] = Field(
        math.inf, description="Es over a narrow-band interferer in dB: -50 to 100, or inf for none"
    )
    interferer_hz: float = _number(5e4, -1e9, 1e9, "offset of the interferer from the carrier, Hz")


class FaultSettings(_Settings):
    """Airtime, propagation and faults of bursts."""

    symbol_rate_hz: float = _number(1e6, 1, 1e12, "symbols per second")
    propagation_seconds: float = _number(0.0, 0, 10, "one-way propagation delay in seconds")
    airtime: AirtimeName = Field(
        "virtual", description="airtime and propagation: virtual (accounted for) or real (waited for, bursts queue)"
    )
    loss_probability: float = _number(0.0, 0, 1, "share of bursts lost, independently")
    good_to_bad: float = _number(0.0, 0, 1, "Gilbert-Elliott: chance to leave the good state at a burst")
    bad_to_good: float = _number(0.25, 1e-6, 1, "Gilbert-Elliott: chance to leave the bad state at a burst")
    loss_good: float = _number(0.0, 0, 1, "Gilbert-Elliott: share of bursts lost in the good state")
    loss_bad: float = _number(1.0, 0, 1, "Gilbert-Elliott: share of bursts lost in the bad state")
    duplicate_probability: float = _number(0.0, 0, 1, "share of bursts that arrive twice")
    reorder_probability: float = _number(0.0, 0, 1, "share of bursts held back so that later ones overtake them")
    reorder_seconds: float = _number(0.01, 0, 10, "how long those are held back, seconds")
    delay_seconds: float = _number(0.0, 0, 10, "delay of every burst, really waited for, seconds")
    jitter_seconds: float = _number(0.0, 0, 10, "scale of the random part of the delay, seconds")
    jitter: JitterName = Field("uniform", description="its distribution: uniform, normal or exponential")
    stall_probability: float = _number(0.0, 0, 1, "share of bursts at which the link stalls")
    stall_seconds: float = _number(1.0, 0, 60, "how long it stalls, seconds")
    reset_probability: float = _number(0.0, 0, 1, "share of bursts at which the connection to the receiver breaks")
    blackout: bool = Field(False, description="every burst is lost: true or false")


class ChannelSettings(FaultSettings, NoiseSettings, FadingSettings):
    """All settings of the channel. Each description ends in the field's range."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = Field(0, ge=0, lt=1 << 64, description="seed of every random draw: an integer, 0 to 2^64 - 1")

    @model_validator(mode="after")
    def _fits_together(self) -> "ChannelSettings":
        if self.fading in SELECTIVE and self.waveform != "ofdm":
            raise ValueError(f"fading = {self.fading!r} with waveform = {self.waveform!r}: it needs waveform ofdm")
        if self.doppler_hz and self.coherence_symbols:
            raise ValueError(
                f"doppler_hz = {self.doppler_hz:g} with coherence_symbols = {self.coherence_symbols}: "
                "motion or a coherence length, set one of them to 0"
            )
        if self.fading == "kbsc" and (self.doppler_hz or self.coherence_symbols > 1):
            raise ValueError(
                f"fading = 'kbsc' with doppler_hz = {self.doppler_hz:g} and coherence_symbols = "
                f"{self.coherence_symbols}: its gain is drawn for each symbol, set both to 0"
            )
        if self.fading in SELECTIVE and self.coherence_symbols:
            raise ValueError(
                f"fading = {self.fading!r} with coherence_symbols = {self.coherence_symbols}: "
                "its paths change with doppler_hz or from burst to burst, set coherence_symbols to 0"
            )
        renewal = 1 - abs(1 - self.good_to_bad - self.bad_to_good)
        if self.good_to_bad and renewal < _LEAST_RENEWAL and self.good_to_bad + self.bad_to_good != 2:
            raise ValueError(
                f"good_to_bad = {self.good_to_bad:g} with bad_to_good = {self.bad_to_good:g}: give two whose sum is "
                f"{_LEAST_RENEWAL:g} to {2 - _LEAST_RENEWAL:g}, or 2"
            )
        if self.cyclic_prefix_symbols > self.fft_size:
            raise ValueError(
                f"cyclic_prefix_symbols = {self.cyclic_prefix_symbols} with fft_size = {self.fft_size}: "
                "the prefix repeats the end of a symbol, so it is at most as long"
            )
        return self

    @property
    def grid(self) -> Grid | None:
        """The grid of OFDM; None on a single carrier."""
        return Grid(self.fft_size, self.cyclic_prefix_symbols) if self.waveform == "ofdm" else None

    def airtime_seconds(self, air_symbols: int) -> float:
        """Airtime of a burst. air_symbols: pilots, header, payload and overhead of the waveform."""
        return air_symbols / self.symbol_rate_hz

    def interval_seconds(self, air_symbols: int) -> float:
        """Time from the start of one burst of a stream to the next; burst number n starts after n intervals.

        `burst_interval_seconds`, or, if that is 0, the burst's airtime and a guard of 16 symbols: back to back if all
        bursts of the stream have the same length. Bursts of different lengths share a time line only with a
        `burst_interval_seconds`.
        """
        return self.burst_interval_seconds or self.airtime_seconds(air_symbols + GUARD_SYMBOLS)

    def updated(self, **fields: Any) -> "ChannelSettings":
        """Return these settings with `fields` changed; None leaves a field unchanged.

        Raises InvalidSetting naming each wrong field, its value and its range.
        """
        changes = {name: value for name, value in fields.items() if value is not None}
        try:
            return ChannelSettings.model_validate(self.model_dump() | changes)
        except ValidationError as error:
            raise InvalidSetting(joined(map(_explain, error.errors()))) from error


def _explain(item: Any) -> str:
    if not item["loc"]:  # of several fields together: `_fits_together` names them
        return str(item["ctx"]["error"])
    name, known = shortened(str(item["loc"][0])), ChannelSettings.model_fields
    unknown = f"no such setting of the channel; choose from {', '.join(known)}"
    return f"{name} = {shown(item['input'])}: {f'refused; {known[name].description}' if name in known else unknown}"
