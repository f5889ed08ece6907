"""The wire format as a table: one file for writer, reader and whoever writes a client in another language."""

import dataclasses
import math
import struct
from typing import Any, get_args

import numpy as np
import pytest
from google.protobuf.message import Message

from protos.semlink.v1 import common_pb2 as common
from protos.semlink.v1 import link_pb2 as pb
from shared.errors import InvalidInput, InvalidSetting, InvalidSymbols
from shared.frame.burst import Burst, CodecSpec, Framing, Genie
from shared.frame.reception import ChannelReport, Hit, Reception, Trace
from shared.ledger import Entry, Kind
from shared.phy import ChannelSettings, Grid
from shared.wire import channel as channel_wire
from shared.wire import from_message, to_message
from shared.wire import link as wire
from tests.tools.messages import same


def length(text: str) -> str:
    """The length of a message of fewer than 16384 bytes as protobuf writes it, in hex."""
    size = len(bytes.fromhex(text))
    return f"{size:02x}" if size < 128 else bytes((size & 127 | 128, size >> 7)).hex()


SYMBOLS = np.array([1 + 2j, -0.5 + 0j, 0 - 1j], np.complex64)
SYMBOLS_HEX = "0000803f00000040000000bf0000000000000000000080bf".replace(" ", "")
BURST = Burst(
    burst_id=2**40 + 1,
    stream=3,
    counter=2**63,
    codec=CodecSpec("kbsc", 4, "00ff00ff00ff00ff", "c0ffee", 5),
    pilot_symbols=1,
    symbols=SYMBOLS,
    csi="pilot",
    timeout_seconds=1.5,
    top_k=7,
    trace=True,
    channel_override={"snr_db": -3.0, "fading": "rayleigh", "seed": 2**64 - 1},
    genie=Genie(np.array([0.5 - 0.25j], np.complex64), 0.125),
    pilot_pattern="scattered",
    grid=Grid(64, 16),
    session=2**63 + 5,
    offset_symbols=300,
    required_posterior=0.75,
    framing="explicit",
    configuration=2**48 + 3,
    round=2,
    header_symbols=0,
)
BURST_HEX = (
    "08 8180808080 20"  # 1 burst_id
    "10 03"  # 2 stream
    "18 8080808080808080 8001"  # 3 counter
    "22 24 0a04 6b627363 1004 1a10 30306666303066663030666630306666 2206 633066666565 2805"  # 4 codec
    "28 01"  # 5 pilot_symbols
    "30 02"  # 6 payload_symbols
    "3a 18 0000803f00000040 000000bf00000000 00000000000080bf"  # 7 symbols
    "40 02"  # 8 csi
    "49 000000000000f83f"  # 9 timeout_seconds
    "50 07"  # 10 top_k
    "58 01"  # 11 trace
    "62 16 09 00000000000008c0 10 02 18 ffffffffffffffffff01"  # 12 channel_override
    "6a 13 0a08 0000003f000080be 11 000000000000c03f"  # 13 genie
    "70 02"  # 14 pilot_pattern
    "7a 04 08 40 10 10"  # 15 grid
    "8001 8580808080808080 8001"  # 16 session
    "8801 ac02"  # 17 offset_symbols
    "9101 000000000000e83f"  # 18 required_posterior
    "9801 03"  # 19 framing
    "a101 0300000000000100"  # 20 configuration
    "a801 02"  # 21 round; 22 header_symbols is 0
)
REPORT = ChannelReport(
    settings=ChannelSettings(snr_db=-3.0, fading="rayleigh", seed=1),
    snr_db_achieved=-2.5,
    stream=2,
    counter=3,
    signal_power=0.9,
    noise_power=1.6,
    gain=0.5 - 0.75j,
    seconds=1.25,
    air_symbols=280,
    papr_db=3.5,
)
SETTINGS_HEX = channel_wire.settings_to_wire(REPORT.settings).SerializeToString(deterministic=True).hex()
REPORT_HEX = (
    f"0a {length(SETTINGS_HEX)} {SETTINGS_HEX}"  # 1 settings; its own fields are pinned below
    "11 00000000000004c0"  # 2 snr_db_achieved
    "18 02 20 03"  # 3 stream, 4 counter
    "29 cdccccccccccec3f"  # 5 signal_power
    "31 9a9999999999f93f"  # 6 noise_power
    "3a 12 09 000000000000e03f 11 000000000000e8bf"  # 7 gain
    "41 000000000000f43f"  # 8 seconds
    "48 9802"  # 9 air_symbols
    "51 0000000000000c40"  # 10 papr_db
)
RECEPTION = Reception(
    burst_id=5,
    top=(Hit("a", "red ring", 0.25), Hit("b", "", 2.0)),
    confidence=0.75,
    accepted=False,
    reason="no",
    ledger=(Entry("decode", 0.5), Entry("airtime", 0.25, Kind.EMULATED)),
    elapsed_seconds=1.0,
    knowledge_base="kb",
    knowledge_base_version=9,
    snr_db_estimated=0.0,
    trace=Trace(SYMBOLS[:0], SYMBOLS[:1], SYMBOLS[1:2]),
    channel=REPORT,
    posterior=0.0,
    request_more=True,
)
RECEPTION_HEX = (
    "08 05"  # 1 burst_id
    "1a 16 0a01 61 1208 7265642072696e67 19 000000000000d03f"  # 3 top
    "1a 0c 0a01 62 19 0000000000000040"
    "21 000000000000e83f"  # 4 confidence; 5 accepted is false
    "32 02 6e6f"  # 6 reason
    "39 0000000000000000"  # 7 snr_db_estimated, 0 dB and there
    "42 13 0a06 6465636f6465 11 000000000000e03f 18 01"  # 8 ledger
    "42 14 0a07 61697274696d65 11 000000000000d03f 18 02"
    "49 000000000000f03f"  # 9 elapsed_seconds
    f"52 {length(REPORT_HEX)} {REPORT_HEX}"  # 10 channel
    "5a 14 12 08 0000803f00000040 1a 08 000000bf00000000"  # 11 trace
    "62 02 6b62"  # 12 knowledge_base
    "68 09"  # 13 knowledge_base_version
    "71 0000000000000000"  # 14 posterior, 0 and there
    "78 01"  # 15 request_more
)
ROWS = [
    pytest.param(BURST, pb.Burst, BURST_HEX, id="burst"),
    pytest.param(REPORT, common.ChannelReport, REPORT_HEX, id="report"),
    pytest.param(RECEPTION, pb.Reception, RECEPTION_HEX, id="reception"),
]


def write(value: Any, kind: type[Message]) -> Message:
    return wire.burst_to_wire(value) if isinstance(value, Burst) else to_message(value, kind)


def read(message: Message, kind: type[Any]) -> Any:
    return wire.burst_from_wire(message) if isinstance(message, pb.Burst) else from_message(message, kind)


@pytest.mark.parametrize(("value", "message", "text"), ROWS)
def test_bytes_are_pinned_and_read_back(value, message: type[Message], text: str) -> None:
    data = bytes.fromhex(text)
    assert write(value, message).SerializeToString(deterministic=True).hex() == data.hex()
    assert same(read(message.FromString(data), type(value)), value)


def test_symbols_are_little_endian_pairs_of_float32() -> None:
    expected = struct.pack("<6f", 1, 2, -0.5, 0, 0, -1)
    assert wire.burst_to_wire(BURST).symbols == expected == bytes.fromhex(SYMBOLS_HEX)


@pytest.mark.parametrize(
    ("genie", "grid"), [(None, None), (BURST.genie, None), (None, Grid(128, 9)), (BURST.genie, Grid(16, 0))]
)
def test_a_burst_that_is_passed_on_is_what_the_receiver_gets(genie: Genie | None, grid: Grid | None) -> None:
    """By framing; and what comes out says the same to who reads it."""
    for framing in get_args(Framing):
        received = dataclasses.replace(BURST, genie=genie, grid=grid, framing=framing)
        message = pb.Burst.FromString(wire.heard_to_wire(received).SerializeToString())
        assert same(wire.burst_from_wire(message), received.heard())


def test_what_is_unset_stays_unset() -> None:
    burst = Burst(1, 0, 0, CodecSpec("raw", 512, "", ""), 0, SYMBOLS, "none")
    back = wire.burst_from_wire(pb.Burst.FromString(wire.burst_to_wire(burst).SerializeToString()))
    assert same(back, burst)
    assert (back.genie, back.channel_override, back.top_k, back.timeout_seconds) == (None, {}, 5, 0.0)
    reception = dataclasses.replace(RECEPTION, snr_db_estimated=None, trace=None, channel=None, posterior=None)
    assert same(from_message(to_message(reception, pb.Reception), Reception), reception)


NOT_A_NUMBER, INFINITE = struct.pack("<2f", math.nan, 0) * 3, struct.pack("<2f", 0, -math.inf) * 3
WRONG = [
    ({"symbols": b""}, InvalidSymbols, "0 bytes, 3 complex64 symbols need 24"),
    ({"symbols": bytes(23)}, InvalidSymbols, "23 bytes"),
    ({"symbols": bytes(32)}, InvalidSymbols, "32 bytes"),
    ({"symbols": NOT_A_NUMBER}, InvalidSymbols, "NaN or an infinity"),
    ({"symbols": INFINITE}, InvalidSymbols, "NaN or an infinity"),
    ({"payload_symbols": 0}, InvalidSymbols, "at least 1 payload symbol"),
    ({"payload_symbols": 1 << 16}, InvalidSymbols, "at most 65536"),
    ({"payload_symbols": 2**32 - 1, "pilot_symbols": 2**32 - 1}, InvalidSymbols, "at most 65536"),
    ({"pilot_symbols": 0, "payload_symbols": 3}, InvalidSetting, "csi pilot with 0 pilots"),
    ({"csi": common.CSI_NONE}, InvalidSetting, "csi none with 1 pilots"),
    ({"csi": common.CSI_PERFECT}, InvalidSetting, "csi perfect with 1 pilots"),
    ({"csi": common.CSI_UNSPECIFIED}, InvalidSetting, "csi None"),
    ({"csi": 9}, InvalidSetting, "csi = 9"),
    ({"top_k": 101}, InvalidSetting, "top_k = 101"),
    ({"timeout_seconds": -1.0}, InvalidInput, "timeout_seconds = -1"),
    ({"timeout_seconds": math.nan}, InvalidInput, "timeout_seconds = nan"),
    ({"session": 0}, InvalidInput, "offset_symbols = 300 and required_posterior = 0.75 without a session"),
    ({"required_posterior": 1.5}, InvalidSetting, "required_posterior = 1.5"),
    ({"required_posterior": math.nan}, InvalidSetting, "required_posterior = nan"),
    ({"channel_override": common.ChannelSettings(fading=99)}, InvalidSetting, "fading = 99"),
    ({"genie": pb.Genie(gain=b"1234", n0=1)}, InvalidSymbols, "4 bytes"),
    ({"genie": pb.Genie(gain=NOT_A_NUMBER[:8], n0=1)}, InvalidSymbols, "NaN"),
    ({"genie": pb.Genie(gain=bytes(8), n0=-1)}, InvalidSymbols, "n0 = -1"),
    ({"genie": pb.Genie(gain=bytes(8), n0=math.nan)}, InvalidSymbols, "n0 = nan"),
]


@pytest.mark.parametrize(("fields", "kind", "text"), WRONG, ids=[text for _, _, text in WRONG])
def test_what_is_no_burst_is_refused_by_name(fields: dict[str, Any], kind: type[InvalidInput], text: str) -> None:
    message = wire.burst_to_wire(BURST)
    for name, value in fields.items():
        if isinstance(value, Message):
            getattr(message, name).CopyFrom(value)
        else:
            setattr(message, name, value)
    with pytest.raises(kind) as refused:
        wire.burst_from_wire(message)
    assert text in str(refused.value)


@pytest.mark.parametrize(("asked", "given"), [(0, 5), (1, 1), (100, 100)])
def test_hits_wanted(asked: int, given: int) -> None:
    assert wire.top_k_from_wire(asked) == given
