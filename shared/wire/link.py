"""The burst, by hand since it is on the hot path, and what its fields must fulfil."""

import math
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

from protos.semlink.v1 import common_pb2 as common
from protos.semlink.v1 import link_pb2 as link
from protos.semlink.v1 import transmitter_pb2 as api
from shared.errors import InvalidInput, InvalidSetting, InvalidSymbols
from shared.frame.burst import ATTEMPTS, NO_CODEC, Burst, CodecSpec, Genie, LinkConfiguration
from shared.frame.delivery import SendRequest
from shared.frame.reception import ChannelReport, Reception
from shared.frame.symbols import MAX_SYMBOLS, pack_symbols, unpack_symbols
from shared.ledger import Entry
from shared.phy import Grid
from shared.wire.channel import override_to_wire
from shared.wire.converter import Choices, from_message, message_to_mapping, register, to_message

MAX_TOP_K: Final = 100
_FIELDS: Final = link.Burst.DESCRIPTOR.fields_by_name
_CSI: Final = Choices(_FIELDS["csi"], unset=None)
_PILOT_PATTERN: Final = Choices(_FIELDS["pilot_pattern"], unset="preamble")
_FRAMING: Final = Choices(_FIELDS["framing"], unset="ideal")
_CONTROL_BITS_PER_SYMBOL: Final = 0.5
"""Of the control channel that a configuration is sent over: QPSK at rate 1/4."""
_ROUNDS: Final = 64
_NAME: Final = re.compile(r"[\w.-]{0,64}")
_FINGERPRINT: Final = re.compile(r"[0-9a-f]{0,16}")


def burst_to_wire(burst: Burst) -> link.Burst:
    """One burst as a message."""
    codec = burst.codec
    return link.Burst(
        burst_id=burst.burst_id,
        stream=burst.stream,
        counter=burst.counter,
        codec=common.CodecSpec(
            codec=codec.codec,
            k=codec.k,
            fingerprint=codec.fingerprint,
            clip_fingerprint=codec.clip_fingerprint,
            mode=codec.mode,
        ),
        pilot_symbols=burst.pilot_symbols,
        payload_symbols=burst.payload_symbols,
        symbols=pack_symbols(burst.symbols),
        csi=_CSI[burst.csi],  # type: ignore[arg-type] # a number of the enum
        timeout_seconds=burst.timeout_seconds,
        top_k=burst.top_k,
        trace=burst.trace,
        channel_override=override_to_wire(burst.channel_override),
        genie=None if burst.genie is None else to_message(burst.genie, link.Genie),
        pilot_pattern=_PILOT_PATTERN[burst.pilot_pattern],  # type: ignore[arg-type]
        grid=None if burst.grid is None else to_message(burst.grid, link.OfdmGrid),
        session=burst.session,
        offset_symbols=burst.offset_symbols,
        required_posterior=burst.required_posterior,
        framing=_FRAMING[burst.framing],  # type: ignore[arg-type]
        configuration=burst.configuration,
        round=burst.round,
        header_symbols=burst.header_symbols,
        question_symbols=burst.question_symbols,
        question=burst.question,
        attempt=burst.attempt,
    )


def heard_to_wire(burst: Burst, **arrived: Any) -> link.Burst:
    """The message that a receiver gets of a burst: `Burst.heard`, without a number that says nothing to it."""
    heard = burst.heard(**arrived)
    if heard.framing == "ideal":
        return burst_to_wire(heard)
    return link.Burst(
        burst_id=heard.burst_id,
        symbols=pack_symbols(heard.symbols),
        timeout_seconds=heard.timeout_seconds,
        genie=None if heard.genie is None else to_message(heard.genie, link.Genie),
        grid=None if heard.grid is None else to_message(heard.grid, link.OfdmGrid),
        session=heard.session,
        framing=_FRAMING[heard.framing],  # type: ignore[arg-type]
        configuration=heard.configuration,
        round=heard.round,
        question=heard.question,
        attempt=heard.attempt,
    )


def burst_from_wire(message: link.Burst) -> Burst:
    """A message as a burst. Raises InvalidInput, naming the field, for one that is none."""
    framing = _FRAMING.names[message.framing]
    if framing != "ideal" and not message.HasField("codec"):
        return _heard_from_wire(message)
    _check_header(message)
    csi = _CSI.names[message.csi]
    if csi is None or (csi == "pilot") != (message.pilot_symbols > 0):
        raise InvalidSetting(
            f"csi {csi} with {message.pilot_symbols} pilots: pilots go with csi pilot, and only with it"
        )
    codec = _codec_of_bytes(message.codec.SerializeToString())
    symbols = message.pilot_symbols + message.header_symbols + message.payload_symbols
    return Burst(
        burst_id=message.burst_id,
        stream=message.stream,
        counter=message.counter,
        codec=codec,
        pilot_symbols=message.pilot_symbols,
        symbols=unpack_symbols(message.symbols, symbols),
        csi=csi,
        timeout_seconds=message.timeout_seconds,
        top_k=top_k_from_wire(message.top_k),
        trace=message.trace,
        channel_override=message_to_mapping(message.channel_override) if message.HasField("channel_override") else {},
        genie=_genie_from_wire(message.genie) if message.HasField("genie") else None,
        pilot_pattern=_PILOT_PATTERN.names[message.pilot_pattern],
        grid=_grid_from_wire(message.grid) if message.HasField("grid") else None,
        session=message.session,
        offset_symbols=message.offset_symbols,
        required_posterior=message.required_posterior,
        framing=framing,
        configuration=message.configuration,
        round=message.round,
        header_symbols=message.header_symbols,
        question_symbols=message.question_symbols,
        question=message.question,
        attempt=message.attempt,
    )


@lru_cache(maxsize=4096)
def _codec_of_bytes(message: bytes) -> CodecSpec:
    """The codec that a message names; the same few come again and again."""
    codec = from_message(common.CodecSpec.FromString(message), CodecSpec)
    check_codec_text(codec)
    return codec


def configuration_from_wire(message: link.Configure) -> LinkConfiguration:
    """A configuration. Raises InvalidInput, naming the field, for one that is none."""
    found = from_message(message, LinkConfiguration)
    rounds = len(found.codecs)
    if found.framing == "ideal" or not found.version:
        raise InvalidInput(f"a configuration {found.version} of framing {found.framing}: give a number, and a framing")
    if not 1 <= rounds <= _ROUNDS or len(found.required_posteriors) != rounds:
        raise InvalidInput(
            f"a configuration of {rounds} codecs and {len(found.required_posteriors)} required posteriors: "
            f"give 1 to {_ROUNDS}, and as many of the one as of the other"
        )
    for codec, posterior in zip(found.codecs, found.required_posteriors, strict=True):
        check_codec_text(codec)
        _check_posterior("required_posteriors", posterior)
    if (found.csi == "pilot") != (found.pilot_symbols > 0) or found.pilot_symbols > MAX_SYMBOLS:
        raise InvalidSetting(
            f"csi {found.csi} with {found.pilot_symbols} pilots: pilots go with csi pilot, and only with it"
        )
    if (found.framing == "explicit") != (found.header_symbols > 0):
        raise InvalidInput(f"framing {found.framing} with headers of {found.header_symbols} symbols")
    if found.question_symbols > MAX_SYMBOLS:
        raise InvalidInput(f"question_symbols = {found.question_symbols}: send at most {MAX_SYMBOLS} symbols")
    top_k_from_wire(found.top_k)
    return found


@lru_cache(maxsize=4096)
def configuration_symbols(configuration: LinkConfiguration) -> int:
    """Channel uses of the control message: 8 bits a byte, at 1/2 bit a symbol."""
    message = to_message(configuration, link.Configure)
    return math.ceil(8 * message.ByteSize() / _CONTROL_BITS_PER_SYMBOL)


def check_codec_text(codec: CodecSpec) -> None:
    """Raise InvalidInput unless the names in it are names: no text may ride along."""
    for value in (codec.fingerprint, codec.clip_fingerprint):
        if not _FINGERPRINT.fullmatch(value):
            raise InvalidInput(f"fingerprint {value[:80]!r}: give the digits that the codec has")
    if not _NAME.fullmatch(codec.codec):
        raise InvalidInput(f"codec {codec.codec[:80]!r}: give the name of a codec, 64 letters at most")


def reception_to_wire(reception: Reception) -> link.Reception:
    """The receiver's answer as a message."""
    return to_message(reception, link.Reception)


def request_from_wire(message: api.SendImageRequest) -> SendRequest:
    """A request; its channel override stays unread. Raises InvalidSetting for a number without a meaning."""
    request = from_message(message, SendRequest, unread=("channel_override",))
    if not 1 <= request.top_k <= MAX_TOP_K:
        raise InvalidSetting(f"top_k = {request.top_k}: ask for 1 to {MAX_TOP_K} hits, or leave it out for 5")
    if request.design_snr_db is not None and not -20 <= request.design_snr_db <= 40:
        raise InvalidSetting(f"design_snr_db = {request.design_snr_db:g}: expect -20 to 40 dB")
    if request.image and request.embedding is not None:
        raise InvalidInput("image and embedding in one request: send one of them")
    if request.harq is not None:
        _check_posterior("harq.required_posterior", request.harq.required_posterior)
    return request


def add_channel(message: link.Reception, report: ChannelReport, ledger: Iterable[Entry]) -> None:
    """Add the channel's report and stages to an answer on its way back."""
    message.channel.CopyFrom(to_message(report, common.ChannelReport))
    message.ledger.extend([to_message(entry, common.LedgerEntry) for entry in ledger])


def top_k_from_wire(top_k: int) -> int:
    """Hits wanted; 5 when unset."""
    if top_k > MAX_TOP_K:
        raise InvalidSetting(f"top_k = {top_k}: ask for 1 to {MAX_TOP_K} hits")
    return top_k or 5


def _heard_from_wire(message: link.Burst) -> Burst:
    """What a receiver gets of a burst that it is told nothing of but its symbols and its place."""
    symbols = unpack_symbols(message.symbols)
    if not 1 <= symbols.size <= MAX_SYMBOLS:
        raise InvalidSymbols(f"a burst of {symbols.size} symbols: send 1 to {MAX_SYMBOLS}")
    _check_numbers(message)
    return Burst(
        burst_id=message.burst_id,
        stream=0,
        counter=0,
        codec=NO_CODEC,
        pilot_symbols=0,
        symbols=symbols,
        csi="none",
        timeout_seconds=message.timeout_seconds,
        genie=_genie_from_wire(message.genie) if message.HasField("genie") else None,
        grid=_grid_from_wire(message.grid) if message.HasField("grid") else None,
        session=message.session,
        framing=_FRAMING.names[message.framing],
        configuration=message.configuration,
        round=message.round,
        question=message.question,
        attempt=message.attempt,
    )


def _check_numbers(message: link.Burst) -> None:
    if not message.timeout_seconds >= 0:
        raise InvalidInput(f"timeout_seconds = {message.timeout_seconds}: give 0 for none, or what is left")
    if message.attempt >= ATTEMPTS:
        raise InvalidInput(f"attempt = {message.attempt}: a block has transmissions 0 to {ATTEMPTS - 1}")


def _check_header(message: link.Burst) -> None:
    """Raises InvalidInput for numbers of a header that are out of range or contradict each other."""
    symbols = message.pilot_symbols + message.header_symbols + message.payload_symbols
    if not message.payload_symbols or symbols > MAX_SYMBOLS:
        raise InvalidSymbols(
            f"a burst of {message.pilot_symbols} pilots and {message.payload_symbols} payload symbols: "
            f"send at least 1 payload symbol and at most {MAX_SYMBOLS} in all"
        )
    if message.question_symbols >= message.payload_symbols:
        raise InvalidSymbols(
            f"a question of {message.question_symbols} symbols in a payload of {message.payload_symbols}: the picture "
            "follows it"
        )
    _check_numbers(message)
    if not message.session and (message.offset_symbols or message.required_posterior):
        raise InvalidInput(
            f"offset_symbols = {message.offset_symbols} and required_posterior = {message.required_posterior:g} "
            "without a session: name one, or leave them out"
        )
    _check_posterior("required_posterior", message.required_posterior)


def _check_posterior(name: str, posterior: float) -> None:
    if not 0 <= posterior <= 1:
        raise InvalidSetting(f"{name} = {posterior}: give a probability, 0 to 1")


def _genie_from_wire(message: link.Genie) -> Genie:
    if not 0 <= message.n0 < math.inf:
        raise InvalidSymbols(f"genie.n0 = {message.n0}: give the noise power per symbol, 0 or more")
    return from_message(message, Genie)


def _grid_from_wire(message: link.OfdmGrid) -> Grid:
    if not 1 <= message.fft_size <= MAX_SYMBOLS:
        raise InvalidInput(f"grid.fft_size = {message.fft_size}: give the number of subcarriers, 1 to {MAX_SYMBOLS}")
    return from_message(message, Grid)


register(Burst, burst_to_wire, burst_from_wire)
