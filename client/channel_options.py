"""The channel's settings as options of a call. Written by `make protos`; do not edit."""

from typing import TypedDict

from shared.phy.conditions.settings import AirtimeName, FadingName, ImpulsesName, JitterName, WaveformName


class ChannelOptions(TypedDict, total=False):
    """Settings of the channel; one that is None or absent is left as it is.

    `shared.phy.ChannelSettings` says what each means and in which range it lies; so does
    `semlink channel set --help`. math.inf: no noise (snr_db), no interferer (sir_db), a linear amplifier
    (pa_backoff_db).
    """

    fading: FadingName | None
    rician_k_db: float | None
    coherence_symbols: int | None
    doppler_hz: float | None
    burst_interval_seconds: float | None
    shadowing_db: float | None
    shadowing_bursts: int | None
    path_loss_db: float | None
    delay_spread_seconds: float | None
    waveform: WaveformName | None
    fft_size: int | None
    cyclic_prefix_symbols: int | None
    snr_db: float | None
    impulses: ImpulsesName | None
    impulse_probability: float | None
    impulse_ratio_db: float | None
    middleton_a: float | None
    middleton_gamma: float | None
    cfo_hz: float | None
    phase_deg: float | None
    phase_noise_hz: float | None
    pa_backoff_db: float | None
    pa_smoothness: float | None
    adc_bits: int | None
    adc_clip_db: float | None
    sir_db: float | None
    interferer_hz: float | None
    symbol_rate_hz: float | None
    propagation_seconds: float | None
    airtime: AirtimeName | None
    loss_probability: float | None
    good_to_bad: float | None
    bad_to_good: float | None
    loss_good: float | None
    loss_bad: float | None
    duplicate_probability: float | None
    reorder_probability: float | None
    reorder_seconds: float | None
    delay_seconds: float | None
    jitter_seconds: float | None
    jitter: JitterName | None
    stall_probability: float | None
    stall_seconds: float | None
    reset_probability: float | None
    blackout: bool | None
    seed: int | None
