"""The wire format as a table: one file for writer, reader and whoever writes a client in another language."""

import dataclasses
import math
import struct
from typing import Any

import numpy as np
import pytest
from google.protobuf.message import Message

from protos.semlink.v1 import common_pb2 as common
from protos.semlink.v1 import link_pb2 as pb
from shared.burst import Burst, ChannelReport, CodecSpec, Genie, Hit, Reception, Trace
from shared.channel import ChannelSettings
from shared.errors import InvalidInput, InvalidSetting, InvalidSymbols
from shared.ledger import Entry, Kind
from shared.rpc import wire

SYMBOLS = np.array([1 + 2j, -0.5 + 0j, 0 - 1j], np.complex64)
SYMBOLS_HEX = "0000803f00000040000000bf0000000000000000000080bf".replace(" ", "")
BURST = Burst(
    burst_id=2**40 + 1,
    stream=3,
    counter=2**63,
    codec=CodecSpec("kbsc", 4, "00ff00ff00ff00ff", "c0ffee"),
    pilots=1,
    symbols=SYMBOLS,
    csi="pilot",
    timeout_seconds=1.5,
    top_k=7,
    trace=True,
    channel_override={"snr_db": -3.0, "fading": "rayleigh", "seed": 2**64 - 1},
    genie=Genie(0.5 - 0.25j, 0.125),
)
BURST_HEX = (
    "08 8180808080 20"  # 1 burst_id
    "10 03"  # 2 stream
    "18 8080808080808080 8001"  # 3 counter
    "22 22 0a04 6b627363 1004 1a10 30306666303066663030666630306666 2206 633066666565"  # 4 codec
    "28 01"  # 5 pilot_symbols
    "30 02"  # 6 payload_symbols
    "3a 18 0000803f00000040 000000bf00000000 00000000000080bf"  # 7 symbols
    "40 02"  # 8 csi
    "49 000000000000f83f"  # 9 timeout_seconds
    "50 07"  # 10 top_k
    "58 01"  # 11 trace
    "62 16 09 00000000000008c0 10 02 18 ffffffffffffffffff01"  # 12 channel_override
    "6a 13 0a08 0000003f000080be 11 000000000000c03f"  # 13 genie
)
REPORT = ChannelReport(-3.0, -2.5, "rayleigh", 1, 2, 3, 0.9, 1.6, 0.5 - 0.75j)
REPORT_HEX = (
    "09 00000000000008c0"  # 1 snr_db_asked
    "11 00000000000004c0"  # 2 snr_db_achieved
    "18 02"  # 3 fading
    "20 01 28 02 30 03"  # 4 seed, 5 stream, 6 counter
    "39 cdccccccccccec3f"  # 7 signal_power
    "41 9a9999999999f93f"  # 8 noise_power
    "49 000000000000e03f 51 000000000000e8bf"  # 9 gain_real, 10 gain_imag
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
    snr_db_estimated=0.0,
    trace=Trace(SYMBOLS[:0], SYMBOLS[:1], SYMBOLS[1:2]),
    channel=REPORT,
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
    f"52 3e {REPORT_HEX}"  # 10 channel
    "5a 14 12 08 0000803f00000040 1a 08 000000bf00000000"  # 11 trace
    "62 02 6b62"  # 12 knowledge_base
)
ROWS = [
    pytest.param(BURST, wire.burst_to_wire, wire.burst_from_wire, pb.Burst, BURST_HEX, id="burst"),
    pytest.param(REPORT, wire.report_to_wire, wire.report_from_wire, common.ChannelReport, REPORT_HEX, id="report"),
    pytest.param(
        RECEPTION, wire.reception_to_wire, wire.reception_from_wire, pb.Reception, RECEPTION_HEX, id="reception"
    ),
]


def same(left: Any, right: Any) -> bool:
    """Equal, arrays bit for bit."""
    if dataclasses.is_dataclass(left):
        names = [field.name for field in dataclasses.fields(left)]
        return type(left) is type(right) and all(same(getattr(left, name), getattr(right, name)) for name in names)
    if isinstance(left, np.ndarray):
        return left.dtype == right.dtype and left.tobytes() == right.tobytes()
    if isinstance(left, tuple):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)


@pytest.mark.parametrize(("value", "write", "read", "message", "text"), ROWS)
def test_bytes_are_pinned_and_read_back(value, write, read, message: type[Message], text: str) -> None:
    data = bytes.fromhex(text)
    assert write(value).SerializeToString(deterministic=True).hex() == data.hex()
    assert same(read(message.FromString(data)), value)


def test_symbols_are_little_endian_pairs_of_float32() -> None:
    expected = struct.pack("<6f", 1, 2, -0.5, 0, 0, -1)
    assert wire.burst_to_wire(BURST).symbols == expected == bytes.fromhex(SYMBOLS_HEX)


def test_what_is_unset_stays_unset() -> None:
    burst = Burst(1, 0, 0, CodecSpec("raw", 512, "", ""), 0, SYMBOLS, "none")
    back = wire.burst_from_wire(pb.Burst.FromString(wire.burst_to_wire(burst).SerializeToString()))
    assert same(back, burst)
    assert (back.genie, back.channel_override, back.top_k, back.timeout_seconds) == (None, {}, 5, 0.0)
    reception = dataclasses.replace(RECEPTION, snr_db_estimated=None, trace=None, channel=None)
    assert same(wire.reception_from_wire(wire.reception_to_wire(reception)), reception)


def test_all_settings_travel_and_infinity_with_them() -> None:
    settings = ChannelSettings(snr_db=math.inf, fading="rayleigh", seed=2**64 - 1, propagation_seconds=0.0)
    message = common.ChannelSettings.FromString(wire.settings_to_wire(settings).SerializeToString())
    assert ChannelSettings().updated(**wire.override_from_wire(message)) == settings


def test_only_fields_that_are_set_are_an_override() -> None:
    assert wire.override_to_wire({}) is None
    assert wire.override_to_wire({"snr_db": None}) is None
    message = wire.override_to_wire({"snr_db": 0.0, "seed": 0})
    assert message is not None
    assert message.SerializeToString().hex() == "09" + "00" * 8 + "1800"
    assert wire.override_from_wire(message) == {"snr_db": 0.0, "seed": 0}
    with pytest.raises(InvalidSetting, match="fading = 'fog'"):
        wire.override_to_wire({"fading": "fog"})


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
    ({"channel_override": common.ChannelSettings(fading=9)}, InvalidSetting, "fading = 9"),
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
