"""The generic converter: each kind of field there and back, and errors that name the field."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from protos.semlink.v1 import channel_pb2 as api
from protos.semlink.v1 import common_pb2 as common
from protos.semlink.v1 import knowledge_base_pb2 as kb
from shared.errors import InvalidInput, InvalidSetting
from shared.frame.reception import Hit, Trace
from shared.ledger import Entry, Kind
from shared.types import Floats
from shared.wire.converter import from_message, to_message


@dataclass(frozen=True)
class Stored:
    """Fields of kb.Item: an array, one that may be missing, and a text with a default."""

    item_id: str
    embedding: Floats | None = None
    caption: str = ""


@dataclass(frozen=True)
class Answered:
    """Fields of kb.SearchResponse: a tuple of messages."""

    hits: tuple[Hit, ...]
    search_seconds: float


@dataclass(frozen=True)
class Changed:
    """Fields of api.Change: settings by name."""

    seconds: float
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Labels:
    """Fields of kb.RelabelRequest: a map."""

    labels: dict[str, str]


@dataclass(frozen=True)
class Page:
    """Fields of kb.ListRequest: an optional text."""

    count: int
    label: str | None


@dataclass(frozen=True)
class Misspelt:
    item_name: str


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (Hit("a", "b", 0.5), common.Hit),
        (Entry("decode", 0.5, Kind.EMULATED), common.LedgerEntry),
        (Stored("a"), kb.Item),
        (Answered((Hit("a", "", 0.0), Hit("", "b", 1.0)), 0.5), kb.SearchResponse),
        (Answered((), 0.0), kb.SearchResponse),
        (Changed(1.5, {"snr_db": -3.0, "fading": "tdl-a"}), api.Change),
        (Changed(0.0, {}), api.Change),
        (Labels({"a": "b"}), kb.RelabelRequest),
        (Page(0, None), kb.ListRequest),
        (Page(3, ""), kb.ListRequest),
    ],
)
def test_there_and_back(value, message) -> None:
    written = to_message(value, message)
    assert from_message(message.FromString(written.SerializeToString()), type(value)) == value


def test_arrays_are_little_endian_bytes() -> None:
    written = to_message(Stored("a", np.array([1, 2], ">f4")), kb.Item)
    assert written.embedding == np.array([1, 2], "<f4").tobytes()
    read = from_message(written, Stored).embedding
    assert read is not None
    assert (read.dtype, read.tolist()) == (np.float32, [1, 2])
    trace = from_message(common.Trace(sent=np.array([1j], "<c8").tobytes()), Trace)
    assert (trace.sent.tolist(), trace.received.size) == ([1j], 0)


def test_an_unset_choice_is_the_default() -> None:
    assert from_message(common.LedgerEntry(stage="wire"), Entry) == Entry("wire", 0.0, Kind.MEASURED)


def test_a_message_left_unread_is_passed_on() -> None:
    message = api.Change(settings=common.ChannelSettings(snr_db=3))
    read = from_message(message, Changed, unread=("settings",))
    assert read.settings == message.settings
    assert to_message(read, api.Change) == message


@pytest.mark.parametrize(
    ("message", "kind", "text"),
    [
        (kb.Item(embedding=bytes(3)), Stored, "embedding: 3 bytes"),
        (common.Trace(equalized=bytes(3)), Trace, "equalized: symbols hold 3 bytes"),
        (common.LedgerEntry(kind=9), Entry, r"kind = 9: choose from 1 \(measured\), 2 \(emulated\)"),
        (api.Change(settings=common.ChannelSettings(fading=99)), Changed, "fading = 99: choose from 1"),
    ],
)
def test_a_wrong_field_is_named_when_read(message, kind, text: str) -> None:
    with pytest.raises(InvalidInput, match=text):
        from_message(message, kind)


@pytest.mark.parametrize(
    ("value", "message", "text"),
    [
        (Hit("a", "b", "far"), common.Hit, "distance = 'far'"),
        (Page(-1, None), kb.ListRequest, "count = -1"),
        (Changed(0.0, {"fading": "fog"}), api.Change, "fading = 'fog': choose from none, rayleigh"),
        (Changed(0.0, {"fog": 1}), api.Change, "fog = 1"),
        (Changed(0.0, {"seed": -1}), api.Change, "seed = -1"),
    ],
)
def test_a_wrong_field_is_named_when_written(value, message, text: str) -> None:
    with pytest.raises(InvalidSetting, match=text):
        to_message(value, message)


def test_a_field_that_the_message_lacks_is_a_mistake_of_the_programmer() -> None:
    with pytest.raises(TypeError, match="Item has no field item_name of Misspelt"):
        to_message(Misspelt("a"), kb.Item)
