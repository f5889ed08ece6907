"""The store: texts of any kind, wrong items, damage of any byte, schema versions, a full disk."""

import resource
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from receiver.knowledge_base import KnowledgeBase, write_store
from receiver.knowledge_base.store.layout import Layout
from shared.errors import DataLoss, InvalidInput, Mismatch, SemLinkError
from shared.types import Floats
from tests.tools.knowledge_base import HOSTILE, ORIGIN, fill, vectors


def store_file(directory: Path) -> Path:
    return Layout(directory).current()


def everything(directory: Path) -> list[tuple[str, str, bytes, bytes]]:
    """All that the knowledge base gives out."""
    with KnowledgeBase.open(directory) as kb:
        items = [kb.get_item(item_id) for item_id in kb.view.item_ids]
    return [(item.item_id, item.label, item.thumbnail, item.embedding.tobytes()) for item in items]


def change(directory: Path, sql: str) -> None:
    with sqlite3.connect(store_file(directory)) as connection:
        connection.executescript(sql)


def write_twice(directory: Path) -> None:
    with write_store(directory, ORIGIN) as writer:
        writer.add("twice", "a", vectors(1)[0])
        writer.add("twice", "b", vectors(2)[1])


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    fill(tmp_path, vectors(30))
    return tmp_path


def test_ids_and_labels_of_any_kind_come_back_as_they_were(tmp_path: Path) -> None:
    with write_store(tmp_path, ORIGIN) as writer:
        for text, embedding in zip(HOSTILE, vectors(len(HOSTILE)), strict=True):
            writer.add(text, text[::-1], embedding, thumbnail=text.encode())
    with KnowledgeBase.open(tmp_path) as kb:
        found = [hits[0] for hits in kb.search(vectors(len(HOSTILE)), 1)]
        assert [(hit.item_id, hit.label) for hit in found] == [(text, text[::-1]) for text in HOSTILE]
        assert [kb.get_item(text).thumbnail for text in HOSTILE] == [text.encode() for text in HOSTILE]


@pytest.mark.parametrize(
    ("item_id", "label", "said"),
    [("", "a", "empty id"), ("x" * 4097, "a", "4097 bytes"), ("\udcff.png", "a", "UTF-8"), ("a", "é" * 2049, "4098")],
)
def test_texts_that_cannot_be_stored_are_refused(tmp_path: Path, item_id: str, label: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said), write_store(tmp_path, ORIGIN) as writer:
        writer.add(item_id, label, vectors(1)[0])


def test_an_id_that_comes_twice_is_refused_and_leaves_the_old(directory: Path) -> None:
    before = everything(directory)
    with pytest.raises(InvalidInput, match="'twice' comes twice"):
        write_twice(directory)
    assert everything(directory) == before
    assert not list(directory.glob(".*"))


@pytest.mark.parametrize(
    ("embedding", "said"),
    [
        (np.zeros(512, dtype=np.float32), "length 0"),
        (np.full(512, np.nan, dtype=np.float32), "length nan"),
        (np.ones(511, dtype=np.float32), r"\(511,\)"),
    ],
)
def test_an_embedding_without_direction_is_refused(tmp_path: Path, embedding: Floats, said: str) -> None:
    with pytest.raises(InvalidInput, match=said), write_store(tmp_path, ORIGIN) as writer:
        writer.add("one", "a", embedding)


def test_nothing_added_is_refused(directory: Path) -> None:
    before = everything(directory)
    with pytest.raises(InvalidInput, match="at least one"), write_store(directory, ORIGIN):
        pass
    assert everything(directory) == before


def test_embeddings_are_stored_with_unit_length(tmp_path: Path) -> None:
    fill(tmp_path, vectors(5) * 17)
    with KnowledgeBase.open(tmp_path) as kb:
        lengths = [np.linalg.norm(kb.get_item(item_id).embedding) for item_id in kb.view.item_ids]
    np.testing.assert_allclose(lengths, 1, atol=1e-6)


def test_a_flipped_bit_is_named_or_harmless(directory: Path) -> None:
    """300 places: what is given out is what was stored, or a named refusal. SQLite leaves about half unused."""
    whole, before = store_file(directory).read_bytes(), everything(directory)
    refusals: list[str] = []
    for place in np.random.default_rng(0).integers(0, len(whole), 300):
        torn = bytearray(whole)
        torn[place] ^= 1 << int(place % 8)
        store_file(directory).write_bytes(torn)
        try:
            given_out = everything(directory)
        except (DataLoss, Mismatch) as error:
            refusals.append(str(error))
        else:
            assert given_out == before
    assert len(refusals) > 100
    assert all(str(store_file(directory)) in refusal for refusal in refusals)


@pytest.mark.parametrize("left", [0, 1, 15, 16, 100, 4096, 20_000, -9000])
def test_a_truncated_store_is_named(directory: Path, left: int) -> None:
    store_file(directory).write_bytes(store_file(directory).read_bytes()[:left])
    with pytest.raises(DataLoss, match=r"sqlite is damaged.*semlink kb build"):
        everything(directory)


@pytest.mark.parametrize("content", [b"", b"not SQLite at all" * 1000, b"SQLite format 3\x00" + bytes(9000)])
def test_something_else_in_its_place_is_named(directory: Path, content: bytes) -> None:
    store_file(directory).write_bytes(content)
    with pytest.raises(DataLoss, match="damaged"):
        KnowledgeBase.open(directory)


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("UPDATE items SET label = 2 WHERE position = 3", "'item-3' at position 3"),
        ("UPDATE items SET label = 99 WHERE position = 3", "'item-3' at position 3"),
        ("UPDATE items SET caption = 5 WHERE position = 3", "damaged"),
        ("UPDATE items SET id = 'item-x' WHERE position = 3", "'item-x' at position 3"),
        ("UPDATE labels SET label = 'other' WHERE code = 2", "'item-2' at position 2"),
        ("UPDATE labels SET code = 12 WHERE code = 2", "labels are not numbered"),
        ("DELETE FROM items WHERE position = 29", "29 items that are not the 30"),
        ("DELETE FROM items WHERE position = 3", "29 items that are not the 30"),
        ("UPDATE meta SET value = '29' WHERE key = 'items'", "description"),
        ("UPDATE meta SET value = 'other' WHERE key = 'clip'", "description"),
        ("DELETE FROM meta", "schema version"),
        ("DROP TABLE items", "no such table"),
        ("CREATE TABLE more (id); DROP TABLE meta", "no such table"),
    ],
)
def test_a_store_that_was_tampered_with_is_refused(directory: Path, sql: str, said: str) -> None:
    change(directory, sql)
    with pytest.raises(DataLoss, match=said):
        KnowledgeBase.open(directory)


def test_a_damaged_thumbnail_is_refused_and_the_rest_is_served(directory: Path) -> None:
    change(directory, "UPDATE pictures SET thumbnail = x'00' WHERE position = 3")
    with KnowledgeBase.open(directory) as kb:
        with pytest.raises(DataLoss, match="thumbnail of 'item-3'"):
            kb.get_item("item-3")
        assert kb.get_item("item-4").thumbnail == b"webp 4"
        assert kb.search(vectors(4)[3:], 1)[0][0].item_id == "item-3"


def test_another_schema_version_is_refused(directory: Path) -> None:
    change(directory, "UPDATE meta SET value = '9' WHERE key = 'schema'")
    with pytest.raises(Mismatch, match="schema version '9' and this SemLink reads 2"):
        KnowledgeBase.open(directory)


def test_a_full_disk_is_said_and_leaves_the_old(directory: Path) -> None:
    """A process that may write files of 64 KiB at most, with a store that needs ten times that."""
    before = everything(directory)
    done = subprocess.run(
        [sys.executable, "-m", "tests.receiver.knowledge_base.test_store", str(directory)],
        capture_output=True,
        check=False,
    )
    assert b"Exhausted: cannot write the knowledge base" in done.stdout, done.stderr.decode()
    assert everything(directory) == before
    assert not list(directory.glob(".*"))


def test_a_path_with_odd_characters_works(tmp_path: Path) -> None:
    directory = tmp_path / "a b?mode=rw#%41 ö"
    fill(directory, vectors(3))
    assert len(everything(directory)) == 3


def _fill_a_small_disk(directory: Path) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 << 10, 64 << 10))
    try:
        fill(directory, vectors(300))
    except SemLinkError as error:
        print(f"{type(error).__name__}: {error}")  # for the test above


if __name__ == "__main__":
    _fill_a_small_disk(Path(sys.argv[1]))
