"""The knowledge base's records cross the wire whole; what is not UTF-8 crosses as printable text."""

import os

import numpy as np
import pytest

from protos.semlink.v1 import knowledge_base_pb2 as pb
from shared.errors import InvalidInput, InvalidSetting
from shared.frame.kb import Added, Found, Item, KnowledgeBaseInfo, Listed, NewItem, Snapshot, Verification
from shared.frame.reception import Hit
from shared.wire.converter import from_message, to_message
from shared.wire.kb import embedding_from_wire, page_from_wire, page_to_wire, with_path_to_wire
from shared.wire.kb import verification_to_wire as to_verify

VECTOR = np.array([0.6, -0.8], np.float32)
ODD_PATH = os.fsdecode(b"/pictures/\xff.png")

INFO = KnowledgeBaseInfo("drawn", 5, 3, "clip-tiny", "c0ffee", "f00d", "flat", 2, 7, "euclidean", "2026-01-01", True)
FOUND = Found((Hit("tom", "cat", 0.5), Hit("rex", "dog", 1.25)), "f00d", 7, 0.001)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (INFO, pb.KnowledgeBaseDescription),
        (FOUND, pb.SearchResponse),
        (Listed(4, "tom", "cat", "a cat", "/tom.png"), pb.ListResponse.Line),
        (Snapshot("one", "/kb/snapshots/one.sqlite", 1 << 40, 5, 7, "f00d"), pb.SnapshotResponse),
        (Verification(5, 1, ("page 3 is damaged",)), pb.VerifyResponse),
        (NewItem("tom", "cat", b"a file", caption="a cat", copy=True), pb.NewItem),
        (NewItem("tom"), pb.NewItem),
    ],
)
def test_a_record_comes_back_as_it_was(record: object, message: type) -> None:
    assert from_message(to_message(record, message), type(record)) == record


def test_an_outcome_comes_back_with_its_error() -> None:
    assert from_message(to_message(Added("tom", None), pb.Added), Added) == Added("tom", None)
    refused = from_message(to_message(Added("tom", InvalidInput("the id comes twice")), pb.Added), Added)
    assert isinstance(refused.error, InvalidInput)
    assert str(refused.error) == "the id comes twice"


def test_an_item_comes_back_with_its_embedding() -> None:
    item = Item("tom", "cat", VECTOR, "a cat", b"webp", "/tom.png", b"a file", b"digest", "")
    back = from_message(with_path_to_wire(item, pb.Item), Item)
    assert np.array_equal(back.embedding, VECTOR)
    assert vars(back) | {"embedding": None} == vars(item) | {"embedding": None}
    given = from_message(to_message(NewItem("tom", embedding=VECTOR), pb.NewItem), NewItem)
    assert given.picture is None
    assert np.array_equal(given.embedding, VECTOR)


def test_paths_that_are_not_utf_8_go_as_printable_text() -> None:
    printable = "/pictures/\\udcff.png"
    assert with_path_to_wire(Item("tom", "cat", VECTOR, path=ODD_PATH), pb.Item).path == printable
    assert page_to_wire([Listed(0, "tom", "cat", "", ODD_PATH)], 1).items[0].path == printable
    assert with_path_to_wire(Snapshot("one", ODD_PATH, 1, 1, 1, "f00d"), pb.SnapshotResponse).path == printable
    assert to_verify(Verification(1, 0, (f"{ODD_PATH} is gone",))).problems == [f"{printable} is gone"]


def test_a_page_names_the_next_one_while_there_is_one() -> None:
    lines = [Listed(position, f"item-{position}", "cat", "", "") for position in (3, 5, 9)]
    page = page_to_wire(lines, 2)
    assert [line.item_id for line in page.items] == ["item-3", "item-5"]
    assert page_from_wire(pb.ListRequest(page=page.next, count=2, label="cat")) == (5, 2, "cat")
    assert page_to_wire(lines, 3).next == ""
    assert page_from_wire(pb.ListRequest()) == (-1, 100, None)


@pytest.mark.parametrize("request_", [pb.ListRequest(count=1001), pb.ListRequest(page="x"), pb.ListRequest(page="²")])
def test_what_is_no_page_is_refused(request_: pb.ListRequest) -> None:
    with pytest.raises(InvalidSetting, match=r"count = 1001|page = "):
        page_from_wire(request_)


@pytest.mark.parametrize("data", [b"", b"123"])
def test_what_is_no_embedding_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput, match=f"the embedding of the query has {len(data)} bytes"):
        embedding_from_wire(data, "the query")
