"""Options of one transmission, and the request that they make."""

import math
from typing import Any, Final, TypedDict

from client.pictures import Picture, picture_bytes
from protos.semlink.v1 import transmitter_pb2 as api
from shared.errors import InvalidSetting
from shared.frame.burst import Csi
from shared.phy import FadingName, PilotPattern
from shared.phy.conditions.settings import AirtimeName, ImpulsesName, JitterName, WaveformName
from shared.wire.channel import override_to_wire
from shared.wire.link import csi_to_wire, pilot_pattern_to_wire


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


class SendOptions(ChannelOptions, total=False):
    """How to send a picture; what is None or absent is the transmitter's or the channel's own setting.

    The channel's settings (`ChannelOptions`) hold for this picture alone.
    codec: for example "nested" or "webp-ldpc". k: real dimensions, so k/2 complex symbols.
    csi: what the receiver knows of the channel: "none", "pilot" or, as a named genie, "perfect".
    design_snr_db: SNR in dB that the codec is told to expect, where it cares.
    pilot_symbols: 2 to 1024, with csi "pilot"; pilot_pattern: "preamble", one gain for the whole burst, or
    "scattered", the gain is tracked between them. stream, counter: with the seed they name the random draw, for
    replay; `send_many` counts on from `counter`. top_k: hits wanted, 1 to 100. trace: ask for the constellations.
    timeout: seconds for this picture, math.inf for no limit.
    ask_for_more: begin with `k` or the codec's shortest length, and send more while the receiver is less certain than
    `certainty` (0.99; less before long rounds), up to `k_max` (the longest length); for codecs such as "nested". Rounds
    take counters one after the other, so `send_many` then counts on by ROUNDS.
    """

    codec: str | None
    k: int | None
    design_snr_db: float | None
    csi: Csi | None
    pilot_symbols: int | None
    pilot_pattern: PilotPattern | None
    stream: int | None
    counter: int | None
    top_k: int | None
    trace: bool
    timeout: float | None
    ask_for_more: bool
    certainty: float | None
    k_max: int | None


ROUNDS: Final = 6
"""Most rounds of one picture: a codec whose shorter code begins its longer one has no more lengths."""


def build_request(picture: Picture, options: SendOptions, request_id: int = 0) -> api.SendImageRequest:
    """The request of one picture. Raises a SemLinkError for an unreadable picture or a wrong option."""
    _refuse_unknown(options)
    data = picture_bytes(picture)
    counter = options.get("counter")
    timeout = options.get("timeout")
    apart = ROUNDS if options.get("ask_for_more") else 1
    try:
        return api.SendImageRequest(
            image=data,
            request_id=request_id,
            codec=options.get("codec"),
            k=options.get("k"),
            design_snr_db=options.get("design_snr_db"),
            channel=override_to_wire(channel_options(options)),
            csi=csi_to_wire(options.get("csi")),
            pilot_symbols=options.get("pilot_symbols"),
            pilot_pattern=pilot_pattern_to_wire(options.get("pilot_pattern")),
            stream=options.get("stream"),
            counter=None if counter is None else counter + apart * request_id,
            top_k=options.get("top_k"),
            trace=options.get("trace", False),
            timeout_seconds=0.0 if timeout is None or math.isinf(timeout) else timeout,
            ask_for_more=_ask_for_more(options),
        )
    except (ValueError, TypeError) as error:
        raise InvalidSetting(f"a send option is out of its range: {error}") from error


def _ask_for_more(options: SendOptions) -> api.AskForMore | None:
    certainty, k_max = options.get("certainty"), options.get("k_max")
    if options.get("ask_for_more"):
        return api.AskForMore(certainty=certainty, k_max=k_max)
    for name, value in (("certainty", certainty), ("k_max", k_max)):
        if value is not None:
            raise InvalidSetting(f"{name} = {value} goes with ask_for_more: ask for more, or leave it out")
    return None


def channel_options(options: SendOptions) -> dict[str, Any]:
    """The channel's part of the options."""
    return {name: options.get(name) for name in ChannelOptions.__annotations__}


def checked_timeout(timeout: float) -> float | None:
    """Seconds for gRPC, which wants None for no limit."""
    if math.isnan(timeout) or timeout <= 0:
        raise InvalidSetting(f"timeout = {timeout}: give seconds above 0, or math.inf for no limit")
    return None if math.isinf(timeout) else timeout


def with_timeout(options: SendOptions, default: float) -> SendOptions:
    """The options with a checked timeout: their own, or the connection's `default`, in seconds."""
    own = options.get("timeout")
    timeout = default if own is None else own
    checked_timeout(timeout)
    return {**options, "timeout": timeout}


def _refuse_unknown(options: SendOptions) -> None:
    known = SendOptions.__annotations__
    for name in options:
        if name not in known:
            raise TypeError(f"no option {name!r}; there are {', '.join(known)}")
