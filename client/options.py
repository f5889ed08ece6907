"""Options of one transmission, and the request that they make."""

import math
from typing import Any, TypedDict

from client.pictures import Picture, picture_bytes
from protos.semlink.v1 import transmitter_pb2 as api
from shared.burst import Csi
from shared.channel import FadingName
from shared.errors import InvalidSetting
from shared.rpc.channel_wire import override_to_wire
from shared.rpc.wire import csi_to_wire


class ChannelOptions(TypedDict, total=False):
    """Settings of the channel; one that is None or absent is left as it is.

    snr_db: average Es/N0 in dB, -50 to 100, or math.inf for no noise. fading: "none" or "rayleigh".
    seed: of every random draw. symbol_rate_hz: for the emulated airtime.
    propagation_seconds: emulated one-way delay, 0 to 10.
    """

    snr_db: float | None
    fading: FadingName | None
    seed: int | None
    symbol_rate_hz: float | None
    propagation_seconds: float | None


class SendOptions(ChannelOptions, total=False):
    """How to send a picture; what is None or absent is the transmitter's or the channel's own setting.

    The channel's settings (`ChannelOptions`) hold for this picture alone.
    codec: for example "kbsc" or "raw". k: real dimensions, so k/2 complex symbols.
    csi: what the receiver knows of the channel: "none", "pilot" or, as a named genie, "perfect".
    pilot_symbols: 2 to 1024, with csi "pilot". stream, counter: with the seed they name the random draw, for replay;
    `send_many` counts on from `counter`. top_k: hits wanted, 1 to 100. trace: ask for the constellations.
    timeout: seconds for this picture, math.inf for no limit.
    """

    codec: str | None
    k: int | None
    csi: Csi | None
    pilot_symbols: int | None
    stream: int | None
    counter: int | None
    top_k: int | None
    trace: bool
    timeout: float | None


def build_request(picture: Picture, options: SendOptions, request_id: int = 0) -> api.SendImageRequest:
    """The request of one picture. Raises a SemLinkError for an unreadable picture or a wrong option."""
    _refuse_unknown(options)
    data = picture_bytes(picture)
    counter = options.get("counter")
    timeout = options.get("timeout")
    try:
        return api.SendImageRequest(
            image=data,
            request_id=request_id,
            codec=options.get("codec"),
            k=options.get("k"),
            channel=override_to_wire(channel_options(options)),
            csi=csi_to_wire(options.get("csi")),
            pilot_symbols=options.get("pilot_symbols"),
            stream=options.get("stream"),
            counter=None if counter is None else counter + request_id,
            top_k=options.get("top_k"),
            trace=options.get("trace", False),
            timeout_seconds=0.0 if timeout is None or math.isinf(timeout) else timeout,
        )
    except (ValueError, TypeError) as error:
        raise InvalidSetting(f"a send option is out of its range: {error}") from error


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
