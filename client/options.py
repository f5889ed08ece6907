"""Options of one transmission, and the request that they make."""

import math
from collections.abc import Mapping
from typing import Any, Final, TypeVar, cast

from client.channel_options import ChannelOptions
from client.pictures import Picture, picture_bytes
from protos.semlink.v1 import transmitter_pb2 as api
from shared.errors import InvalidInput, InvalidSetting
from shared.frame.burst import Csi, Framing
from shared.frame.delivery import REQUIRED_POSTERIOR, Delivery, Harq, ReadyEmbedding, SendRequest
from shared.frame.question import Question
from shared.phy import PilotPattern
from shared.wire import to_message


class SendOptions(ChannelOptions, total=False):
    """How to send a picture; what is None or absent is the transmitter's or the channel's own setting.

    The channel's settings (`ChannelOptions`) hold for this picture alone.
    codec: for example "nested" or "webp-ldpc". k: real dimensions, so k/2 complex symbols.
    csi: what the receiver knows of the channel: "none", "pilot" or, as a named genie, "perfect". framing: how it learns
    what a burst is: "implicit", configured before; "explicit", by a coded header, which can be lost (`Lost` is raised);
    "ideal", a named genie.
    design_snr_db: SNR in dB that the codec is told to expect, where it cares.
    pilot_symbols: 2 to 1024, with csi "pilot"; pilot_pattern: "preamble", one gain for the whole burst, or
    "scattered", the gain is tracked between them. stream, counter: with the seed they name the random draw, for
    replay; `send_many` counts on from `counter`. top_k: hits wanted, 1 to 100. trace: ask for the constellations.
    timeout: seconds for this picture, math.inf for no limit.
    ask_for_more: HARQ with incremental redundancy: begin with `k` or the codec's shortest length, and send more while
    the receiver's posterior is below `certainty` (0.99; less before long rounds), up to `k_max` (the longest length);
    for codecs such as "nested". Rounds take counters one after the other, so `send_many` then counts on by ROUNDS.
    """

    codec: str | None
    k: int | None
    design_snr_db: float | None
    csi: Csi | None
    framing: Framing | None
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


class AskOptions(ChannelOptions, total=False):
    """How to send a picture for a question; the others: see `SendOptions`.

    bits: of the picture, positions included; not with `follow`, where k is the least length. follow: the delivery of an
    earlier question about the same picture, or its `asked.session`: only what the receiver does not hold yet is sent,
    by the codec, CSI and framing of the first one.
    retransmissions: at most so many, 0 to 7, while the picture is lost; the receiver combines them (HARQ with Chase
    combining). They take counters one after the other, so `ask_many` then counts on by 1 + retransmissions.
    question_at_receiver: whether the receiver knows the question, since whoever asks sits there; else it is sent over
    the air in front of the picture, and counted.
    """

    codec: str | None
    k: int | None
    bits: int | None
    follow: Delivery | str | None
    retransmissions: int | None
    question_at_receiver: bool | None
    design_snr_db: float | None
    framing: Framing | None
    csi: Csi | None
    pilot_symbols: int | None
    pilot_pattern: PilotPattern | None
    stream: int | None
    counter: int | None
    top_k: int | None
    trace: bool
    timeout: float | None


Options = TypeVar("Options", SendOptions, AskOptions)

ROUNDS: Final = 6
"""Most HARQ rounds of one picture: no codec whose shorter codewords are prefixes of longer ones has more lengths."""


def build_question(picture: Picture, question: str, options: AskOptions, request_id: int = 0) -> api.SendImageRequest:
    """The request of one picture with a question. Raises as `build_request` does."""
    given = _given(options, AskOptions)
    bits, repeats = given.pop("bits", 0), given.pop("retransmissions", 0)
    known = given.pop("question_at_receiver", None)
    if not isinstance(known, bool | None):
        raise InvalidSetting(f"question_at_receiver = {known!r}: choose True or False, or leave it out")
    return _request(picture, given, request_id, Question(question, bits, _session(given), repeats, known))


def _session(given: dict[str, Any]) -> str:
    """The session to follow, of the options, which lose it. Raises InvalidInput for a delivery that has none."""
    follow: Delivery | str = given.pop("follow", "")
    if isinstance(follow, str):
        return follow
    if follow.asked is None or not follow.asked.session:
        raise InvalidInput(
            f"follow: the delivery of codec {follow.codec} has no session; follow one of a question by uo-isc"
        )
    return follow.asked.session


def build_pair(pair: tuple[Picture, str], options: AskOptions, request_id: int) -> api.SendImageRequest:
    """The same for what `ask_many` takes. Raises InvalidInput for anything but a picture and its question."""
    if not isinstance(pair, tuple | list) or len(pair) != 2 or not isinstance(pair[1], str):
        raise InvalidInput(f"ask_many takes pairs (picture, question), not {type(pair).__name__}: {pair!r:.80}")
    return build_question(*pair, options, request_id)


def build_request(picture: Picture, options: SendOptions, request_id: int = 0) -> api.SendImageRequest:
    """The request of one picture or embedding. Raises a SemLinkError for an unreadable one or a wrong option."""
    return _request(picture, _given(options, SendOptions), request_id)


def _given(options: Mapping[str, Any], kind: type) -> dict[str, Any]:
    """The options that are not None. Raises TypeError for one that `kind` does not have."""
    for name in options:
        if name not in kind.__annotations__:
            raise TypeError(f"no option {name!r}; there are {', '.join(kind.__annotations__)}")
    return {name: value for name, value in options.items() if value is not None}


def _request(
    picture: Picture, given: dict[str, Any], request_id: int = 0, question: Question | None = None
) -> api.SendImageRequest:
    override = {name: given.pop(name) for name in ChannelOptions.__annotations__ if name in given}
    harq = _harq(given)
    if "counter" in given:
        rounds = ROUNDS if harq else 1 + (question.retransmissions if question else 0)
        given["counter"] += rounds * request_id
    timeout = given.pop("timeout", math.inf)
    request = SendRequest(
        picture_bytes(picture),
        request_id,
        channel_override=override or None,
        timeout_seconds=0.0 if math.isinf(timeout) else timeout,
        harq=harq,
        question=question,
        embedding=picture if isinstance(picture, ReadyEmbedding) else None,
        **given,
    )
    return to_message(request, api.SendImageRequest)


def _harq(given: dict[str, Any]) -> Harq | None:
    """The HARQ request among the options, which are taken out."""
    asked = given.pop("ask_for_more", False)
    own = {name: given.pop(name) for name in ("certainty", "k_max") if name in given}
    if not asked:
        for name, value in own.items():
            raise InvalidSetting(f"{name} = {value} goes with ask_for_more: ask for more, or leave it out")
        return None
    return Harq(own.get("certainty", REQUIRED_POSTERIOR), own.get("k_max"))


def checked_timeout(timeout: float) -> float | None:
    """Seconds for gRPC, which wants None for no limit."""
    if math.isnan(timeout) or timeout <= 0:
        raise InvalidSetting(f"timeout = {timeout}: give seconds above 0, or math.inf for no limit")
    return None if math.isinf(timeout) else timeout


def with_timeout(options: Options, default: float) -> Options:
    """The options with a checked timeout: their own, or the connection's `default`, in seconds."""
    own = options.get("timeout")
    timeout = default if own is None else own
    checked_timeout(timeout)
    return cast(Options, {**options, "timeout": timeout})
