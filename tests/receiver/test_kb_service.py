"""The knowledge base over real sockets, with the client library and with bare messages."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from itertools import islice
from pathlib import Path
from typing import TypeVar

import grpc
import pytest

from client import Found, KnowledgeBaseClient, NewItem
from protos.semlink.v1 import knowledge_base_pb2 as pb
from protos.semlink.v1 import knowledge_base_pb2_grpc as rpc
from receiver.knowledge_base import KnowledgeBase, build_knowledge_base
from receiver.knowledge_base.store.layout import Layout
from shared.clip import Clip, load_clip
from shared.datasets import Picture, open_source
from shared.errors import (
    DataLoss,
    InvalidInput,
    Mismatch,
    NotFound,
    SemLinkError,
)
from tests.tools.knowledge_base import vectors
from tests.tools.knowledge_service import ask, receiver
from tests.tools.rpc import dialled, serving, status_of

Result = TypeVar("Result")
SERVED = 40


@pytest.fixture(scope="module")
def clip() -> Clip:
    return load_clip(device="cpu", precision="float32")


@pytest.fixture(scope="module")
def pictures() -> list[Picture]:
    return list(islice(open_source("drawn", "kb"), 60))


class Folder:
    """The first pictures as files of a source, so that they have a path."""

    name, split, labels = "drawings", None, ()

    def __init__(self, directory: Path, pictures: list[Picture]) -> None:
        self._pictures = []
        for number, picture in enumerate(pictures):
            path = directory / f"{number}.png"
            path.write_bytes(picture.encoded())
            self._pictures.append(Picture(f"p{number}", picture.label, path, f"a {picture.label}"))

    def __len__(self) -> int:
        return len(self._pictures)

    def __iter__(self):
        return iter(self._pictures)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, clip: Clip, pictures: list[Picture]) -> Path:
    folder = tmp_path_factory.mktemp("built")
    (folder / "pictures").mkdir()
    build_knowledge_base(Folder(folder / "pictures", pictures[:SERVED]), folder / "kb", clip)
    return folder


@pytest.fixture
def directory(built: Path, tmp_path: Path) -> Path:
    """A knowledge base of its own for each test."""
    return Path(shutil.copytree(built / "kb", tmp_path / "kb"))


@pytest.fixture
async def address(directory: Path, tmp_path: Path) -> AsyncIterator[str]:
    async with serving(*receiver(directory), tmp_path) as served:
        yield served


async def test_pictures_texts_vectors_and_items_are_searched_for(address: str, pictures, clip: Clip) -> None:
    def work(kb: KnowledgeBaseClient) -> list[Found]:
        return [
            kb.search(picture=pictures[7].encoded(), top_k=3),
            kb.search(text=f"a {pictures[7].label}", top_k=3),
            kb.search(embedding=clip.embed_images(clip.preprocess(pictures[7].image())[None])[0] * 5, top_k=3),
            kb.search(item_id="p7", top_k=3),
        ]

    by_picture, by_text, by_vector, by_item = await ask(address, work)
    for found in (by_picture, by_vector, by_item):
        assert found.hits[0].item_id == "p7"
        assert [hit.item_id for hit in found.hits] == [hit.item_id for hit in by_item.hits]
    assert by_text.hits[0].label == pictures[7].label
    assert (by_text.version, len(by_text.knowledge_base), len(by_text.hits)) == (SERVED, 64, 3)


async def test_a_search_can_be_limited_to_labels(address: str, pictures) -> None:
    label = pictures[3].label
    found = await ask(address, lambda kb: kb.search(item_id="p7", labels=[label], top_k=50))
    assert {hit.label for hit in found.hits} == {label}


async def test_what_is_added_is_found_and_survives_a_restart(address: str, directory: Path, pictures, tmp_path) -> None:
    def work(kb: KnowledgeBaseClient) -> None:
        before = kb.describe()
        items = [NewItem(f"new{n}", p.label, p.encoded(), copy=True) for n, p in enumerate(pictures[SERVED:])]
        ready = [NewItem(f"vector{n}", "ready", embedding=one * 3) for n, one in enumerate(vectors(600))]
        added = list(kb.add(items + ready, before.clip_fingerprint))
        assert [one.item_id for one in added if one.error] == []
        assert len(added) == 20 + 600
        assert kb.search(picture=pictures[45].encoded(), top_k=1).hits[0].item_id == "new5"
        assert kb.search(embedding=vectors(600)[599], top_k=1).hits[0].item_id == "vector599"
        after = kb.describe()
        assert (after.items, after.version) == (before.items + 620, before.version + 620)
        assert after.fingerprint != before.fingerprint
        assert kb.get_item("new5", with_picture=True).picture == pictures[45].encoded()

    await ask(address, work)
    # A copy taken while the receiver runs is what a pulled plug would leave.
    with KnowledgeBase.open(directory) as kb:
        assert kb.get_item("vector599").label == "ready"


async def test_a_bad_item_is_refused_alone(address: str, pictures) -> None:
    def work(kb: KnowledgeBaseClient) -> None:
        items = [
            NewItem("good", "a", pictures[50].encoded()),
            NewItem("junk", "a", b"no picture at all"),
            NewItem("p1", "a", pictures[51].encoded()),
            NewItem("nothing"),
            NewItem("gone", "a", "/nowhere/at/all.png"),
            NewItem("long", "x" * 5000, pictures[52].encoded()),
        ]
        errors = {one.item_id: one.error for one in kb.add(items)}
        assert errors.pop("good") is None
        assert {name: type(error) for name, error in errors.items()} == {
            "junk": InvalidInput, "p1": InvalidInput, "nothing": InvalidInput, "gone": NotFound, "long": InvalidInput,
        }  # fmt: skip
        assert "comes twice" in str(errors["p1"])
        assert "neither a picture nor an embedding" in str(errors["nothing"])
        assert kb.describe().items == SERVED + 1

    await ask(address, work)


async def test_an_error_of_the_callers_own_iterable_comes_back(address: str, pictures) -> None:
    def items():
        yield NewItem("good", "a", pictures[50].encoded())
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await ask(address, lambda kb: list(kb.add(items())))
    assert (await ask(address, lambda kb: kb.get_item("good"))).label == "a"


async def test_embeddings_of_another_clip_are_refused(address: str) -> None:
    def work(kb: KnowledgeBaseClient) -> list[SemLinkError | None]:
        item = NewItem("x", embedding=vectors(1)[0])
        return [one.error for fingerprint in ("", "badc0de") for one in kb.add([item], fingerprint)]

    errors = await ask(address, work)
    assert [type(error) for error in errors] == [Mismatch, Mismatch]
    assert all("semlink kb build" in str(error) for error in errors)


async def test_many_streams_add_at_once_and_each_item_is_there_once(address: str) -> None:
    fingerprint = (await ask(address, lambda kb: kb.describe())).clip_fingerprint

    def adder(seed: int) -> Callable[[KnowledgeBaseClient], int]:
        items = [NewItem(f"{seed}/{n}", "x", embedding=one) for n, one in enumerate(vectors(300, seed=seed))]
        return lambda kb: sum(one.error is None for one in kb.add(items, fingerprint))

    assert await asyncio.gather(*(ask(address, adder(seed)) for seed in range(1, 5))) == [300] * 4
    lines = await ask(address, lambda kb: [line.item_id for line in kb.list_items("x", page_items=77)])
    assert sorted(lines) == sorted(f"{seed}/{n}" for seed in range(1, 5) for n in range(300))


async def test_items_are_removed_and_relabelled(address: str) -> None:
    def work(kb: KnowledgeBaseClient) -> None:
        assert kb.relabel({"p1": "猫", "p2": "猫"}) == 2
        assert [line.item_id for line in kb.list_items("猫")] == ["p1", "p2"]
        assert kb.remove(["p1"]) == 1
        with pytest.raises(NotFound, match="'p1'"):
            kb.get_item("p1")
        with pytest.raises(NotFound, match="'p1'"):
            kb.remove(["p2", "p1"])
        assert kb.search(item_id="p2", top_k=1).hits[0].label == "猫"
        assert len(list(kb.list_items())) == SERVED - 1

    await ask(address, work)


async def test_the_original_is_read_where_it_was_or_its_loss_is_told(address: str, built: Path) -> None:
    def get(kb: KnowledgeBaseClient):
        return kb.get_item("p3", with_picture=True)

    path = built / "pictures" / "3.png"
    content = path.read_bytes()
    item = await ask(address, get)
    assert (item.picture, item.picture_missing, item.path) == (content, "", str(path))
    assert item.caption.startswith("a ")
    path.write_bytes(b"something else")
    assert "not what was stored any more" in (await ask(address, get)).picture_missing
    path.unlink()
    item = await ask(address, get)
    assert (item.picture, "is gone" in item.picture_missing) == (b"", True)
    assert item.thumbnail
    assert ["is gone" in one for one in (await ask(address, lambda kb: kb.verify())).problems] == [True]
    path.write_bytes(content)


async def test_a_snapshot_is_restored_while_it_serves(address: str) -> None:
    def work(kb: KnowledgeBaseClient) -> None:
        before = kb.describe()
        made = kb.snapshot("one")
        assert (made.items, made.version, made.fingerprint) == (SERVED, before.version, before.fingerprint)
        kb.remove(["p0"])
        assert kb.verify().problems == ()
        restored = kb.restore("one")
        assert (restored.fingerprint, restored.items) == (before.fingerprint, SERVED)
        assert restored.version > before.version + 1
        assert kb.get_item("p0").item_id == "p0"
        with pytest.raises(NotFound, match="there are: one"):
            kb.restore("two")
        with pytest.raises(InvalidInput, match="cannot be called"):
            kb.snapshot("../two")
        path = Path(made.path)
        path.write_bytes(path.read_bytes()[:-5000])
        with pytest.raises(DataLoss, match="damaged"):
            kb.restore("one")
        assert kb.compact().items == SERVED

    await ask(address, work)


async def test_damage_is_told_over_the_wire(address: str, directory: Path) -> None:
    store = Layout(directory).current()
    thumbnail = (await ask(address, lambda kb: kb.get_item("p5"))).thumbnail
    await ask(address, lambda kb: kb.compact())  # brings the log into the file
    data = bytearray(store.read_bytes())
    data[data.index(thumbnail) + 9] ^= 4
    store.write_bytes(data)
    problems = (await ask(address, lambda kb: kb.verify())).problems
    assert ["thumbnail of 'p5'" in one for one in problems] == [True]


@pytest.mark.parametrize(
    ("method", "request_", "said"),
    [
        ("Search", pb.SearchRequest(), "no query"),
        ("Search", pb.SearchRequest(text="  "), "text of the search is empty"),
        ("Search", pb.SearchRequest(embedding=b"123"), "has 3 bytes"),
        ("Search", pb.SearchRequest(embedding=b"1234"), r"[B, 512]"),
        ("Search", pb.SearchRequest(embedding=bytes(2048)), "length 0"),
        ("Search", pb.SearchRequest(item_id="p1", top_k=101), "top_k = 101"),
        ("Search", pb.SearchRequest(picture=b"junk"), "no image"),
        ("List", pb.ListRequest(count=1001), "count = 1001"),
        ("List", pb.ListRequest(page="evil'--"), "page = "),
        ("Snapshot", pb.SnapshotRequest(name="../x"), "cannot be called"),
        ("Relabel", pb.RelabelRequest(labels={"p1": "x" * 5000}), "5000 bytes"),
    ],
)
async def test_a_wrong_message_is_named(address: str, method: str, request_, said: str) -> None:
    async with dialled(address) as channel:
        code, text = await status_of(getattr(rpc.KnowledgeBaseStub(channel), method)(request_))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert said in text


def test_the_client_wants_one_query() -> None:
    with KnowledgeBaseClient("127.0.0.1:1") as kb:
        for query in ({}, {"text": "a", "item_id": "b"}):
            with pytest.raises(InvalidInput, match="a search needs one of"):
                kb.search(**query)  # type: ignore[arg-type]
