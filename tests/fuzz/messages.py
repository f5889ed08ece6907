"""Targets that take messages: the parser and the limits of every request, and what is made of it.

request --limits--> message --conversion--> values          bursts --channel--> receiver's pipeline --> answers
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random
from tempfile import mkdtemp
from typing import Any, Final

import numpy as np
from google.protobuf.message_factory import GetMessageClass

from channel_proxy.control import ChannelControl
from channel_proxy.relay import as_received, report_of
from protos.semlink.v1 import channel_pb2, knowledge_base_pb2, link_pb2, transmitter_pb2
from protos.semlink.v1 import common_pb2 as common
from receiver import kb_service
from receiver.knowledge_base import EngineSettings, KnowledgeBase
from receiver.pipeline import ReceivePipeline
from receiver.settings import ReceiverSettings
from shared.codecs import CodecShelf
from shared.errors import SemLinkError
from shared.frame.burst import CodecSpec, LinkConfiguration
from shared.frame.header import CLASSES, Header, decode_headers, encode_header
from shared.frame.symbols import pack_symbols, unpack_symbols
from shared.observe.tracing import _read as read_traceparent
from shared.phy import ChannelSettings, pilot_sequence
from shared.phy.channel.conditions import Conditions
from shared.phy.conditions.presets import preset_named
from shared.phy.conditions.schedule import Schedule
from shared.phy.power import normalize_power
from shared.rpc.incoming import Refused, reader
from shared.security.audit import summary
from shared.security.guard import HEADER, Guard
from shared.security.roles import RULES
from shared.security.tokens import TokenBook, digest_of
from shared.wire import from_message, to_message
from shared.wire.channel import settings_from_wire, settings_to_wire
from shared.wire.failure import failure_from
from shared.wire.kb import embedding_from_wire, page_from_wire
from shared.wire.limits import check_limits
from shared.wire.link import (
    burst_from_wire,
    burst_to_wire,
    configuration_from_wire,
    heard_to_wire,
    reception_to_wire,
    request_from_wire,
    top_k_from_wire,
)
from tests.fuzz.mutation import filled
from tests.fuzz.target import Target
from tests.tools.knowledge_base import fill, vectors
from tests.tools.rpc import make_burst
from tests.tools.transmitter import png

_FILES: Final = (channel_pb2, knowledge_base_pb2, link_pb2, transmitter_pb2)
METHODS: Final = [
    method for file in _FILES for service in file.DESCRIPTOR.services_by_name.values() for method in service.methods
]
"""Descriptors of all methods of the three services."""


def request_of(method: Any) -> Any:
    """The class of a method's requests."""
    return GetMessageClass(method.input_type)


def example_requests(kind: Any) -> list[Any]:
    """Requests of a kind: such as clients send, and some that are filled at random."""
    return [*_REAL.get(kind.DESCRIPTOR.name, lambda: ())(), *(filled(kind, Random(seed)) for seed in range(3))]


def _requests(data: bytes) -> None:
    method = METHODS[data[0] % len(METHODS)] if data else METHODS[0]
    kind = request_of(method)
    message = reader(kind.FromString, streamed=method.client_streaming)(data[1:])
    if isinstance(message, Refused):
        raise message.reason
    summary(message)  # for the audit
    convert = _CONVERSIONS.get(kind.__name__)
    if convert is not None:
        convert(message)


def _bursts(message: Any) -> None:
    check_limits(message)
    for burst in message.bursts:
        _alone(_control if burst.HasField("configure") else _burst, burst)


def _alone(convert: Callable[[Any], object], message: Any) -> None:
    """What concerns one of several: its error is its answer."""
    try:
        check_limits(message)
        convert(message)
    except SemLinkError as error:
        failure_from(error)


def _control(message: Any) -> None:
    configuration = configuration_from_wire(message.configure)
    _receiver().deframer.hold(configuration)
    to_message(configuration, link_pb2.Configure)


def _burst(message: Any) -> None:
    """Through the channel and the receiver. Of power no burst need have the right one, or fuzzers would find none."""
    burst = burst_from_wire(message)
    burst = replace(burst, symbols=normalize_power(burst.symbols[None])[0])
    sent = ChannelControl(ChannelSettings()).link_for(burst).transmit(burst.symbols, burst.stream, burst.counter)
    to_message(report_of(sent), common.ChannelReport)
    heard = burst_from_wire(heard_to_wire(as_received(burst, sent), burst_id=1, session=burst.session))
    pipeline = _receiver()
    told = pipeline.deframer.read(heard)
    (answer,) = pipeline.receive([(told, pipeline.admit(told))])
    if isinstance(answer, Exception):
        raise answer
    reception_to_wire(answer)


def _send(message: Any) -> None:
    request = request_from_wire(message)
    if request.channel_override is not None:
        _settings(request.channel_override)


def _settings(message: Any) -> None:
    settings = settings_from_wire(message)
    settings_to_wire(settings)
    Conditions(settings).link(64, 7, {})


def _set_channel(message: Any) -> None:
    if message.preset:
        preset_named(message.preset)
    _settings(message.settings)


def _set_schedule(message: Any) -> None:
    schedule = from_message(message.schedule, Schedule)
    Conditions(schedule.base(), schedule).link(64, 7, {})
    to_message(schedule, channel_pb2.Schedule)


def _search(message: Any) -> None:
    top_k_from_wire(message.top_k)
    if message.WhichOneof("query") == "embedding":
        kb_service._search(_receiver()._knowledge_base.view, embedding_from_wire(message.embedding, "q"), 5, ())


_CONVERSIONS: Final[Mapping[str, Callable[[Any], object]]] = {
    "AddRequest": lambda message: kb_service._read(message.items),
    "Burst": lambda message: _alone(_burst, message),
    "Bursts": _bursts,
    "ListRequest": page_from_wire,
    "SearchRequest": _search,
    "SendImageRequest": lambda message: _alone(_send, message),
    "SetChannelRequest": _set_channel,
    "SetScheduleRequest": _set_schedule,
}
"""What a service makes of a request before it works on it."""


@cache
def _receiver() -> ReceivePipeline:
    """The receiver's pipeline over eight items, without sockets."""
    folder = Path(mkdtemp())
    fill(folder, vectors(8))
    settings = ReceiverSettings(kb=folder, device="cpu")
    shelf = CodecShelf("cpu", "c0ffee")
    shelf.load_all()  # as the service does when it starts
    return ReceivePipeline(settings, shelf, KnowledgeBase.open(folder, EngineSettings()))


def _headers(data: bytes) -> None:
    chosen = CLASSES[data[0] % len(CLASSES)] if data else CLASSES[0]
    symbols = unpack_symbols(data[1:])[None]
    for short in (False, True):
        decode_headers(symbols, chosen.short_symbols if short else chosen.symbols, short=short)


def _metadata(data: bytes) -> None:
    text = data.decode("latin-1")
    read_traceparent(text)
    book = TokenBook(None, [f"a send sha256:{digest_of('secret').hex()}"])
    Guard(book).admit(list(RULES)[len(data) % len(RULES)], ((HEADER, text),))


def _real_bursts() -> list[Any]:
    raw = CodecSpec("raw", 512, CodecShelf("cpu", "c0ffee").get("raw", 512).fingerprint, "c0ffee")
    pilots = make_burst(1, pilot_symbols=8, codec=raw)
    perfect = make_burst(2, codec=raw, csi="perfect", channel_override={"fading": "tdl-a", "waveform": "ofdm"})
    implicit = LinkConfiguration(7, "implicit", (raw,), (0.0,), "pilot", 8)
    heard = replace(pilots, framing="implicit", configuration=7)
    control = link_pb2.Burst(burst_id=3, configure=to_message(implicit, link_pb2.Configure))
    return [burst_to_wire(pilots), burst_to_wire(perfect), control, burst_to_wire(heard), heard_to_wire(heard)]


def _schedule() -> Any:
    changes = [channel_pb2.Change(seconds=s, settings={"snr_db": s}, ramp_seconds=0.5) for s in range(4)]
    return channel_pb2.Schedule(name="s", clock=1, changes=changes, repeat_seconds=9, settings={"snr_db": 3})


_REAL: Final[Mapping[str, Callable[[], Any]]] = {
    "AddRequest": lambda: [
        knowledge_base_pb2.AddRequest(
            request_id=1,
            items=[{"item_id": "a", "picture": png()}, {"item_id": "b", "embedding": vectors(1).tobytes()}],
        )
    ],
    "Burst": _real_bursts,
    "Bursts": lambda: [link_pb2.Bursts(bursts=_real_bursts())],
    "SearchRequest": lambda: [
        knowledge_base_pb2.SearchRequest(embedding=vectors(1).tobytes()),
        knowledge_base_pb2.SearchRequest(text="a red circle", top_k=3),
    ],
    "SendImageRequest": lambda: [
        transmitter_pb2.SendImageRequest(image=png(), channel_override={"snr_db": 3, "fading": 2}),
        transmitter_pb2.SendImageRequest(embedding={"values": vectors(1).tobytes()}, codec="nested", harq={}),
    ],
    "SetChannelRequest": lambda: [
        channel_pb2.SetChannelRequest(preset="pedestrian", settings={"snr_db": 5}),
        channel_pb2.SetChannelRequest(settings={"fading": 99}),
    ],
    "SetScheduleRequest": lambda: [channel_pb2.SetScheduleRequest(schedule=_schedule())],
}
"""Such as clients send, by name."""


def _request_seeds() -> Iterator[bytes]:
    for place, method in enumerate(METHODS):
        for example in example_requests(request_of(method)):
            yield bytes([place]) + example.SerializeToString()


def _header_seeds() -> Iterator[bytes]:
    for place, chosen in enumerate(CLASSES[3:], 3):
        for number in (0, 1):
            sent = encode_header(Header(1, 3, 0, 0, 5, number, 7), chosen[1 + number], short=bool(number))
            yield bytes([place]) + pack_symbols(np.concatenate([sent, pilot_sequence(8)]))


def _metadata_seeds() -> list[bytes]:
    return [b"Bearer secret", b"bearer x", b"Basic eDp5", b"00-" + b"ab" * 16 + b"-" + b"cd" * 8 + b"-01"]


TARGETS: Final = (
    Target("requests", _requests, _request_seeds, mebibytes=128),
    Target("headers", _headers, _header_seeds),
    Target("metadata", _metadata, _metadata_seeds),
)
