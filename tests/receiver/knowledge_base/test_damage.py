"""What `verify` finds: flipped bits of the store and the index, pictures that are gone or changed."""

from pathlib import Path

import numpy as np
import pytest

from receiver.knowledge_base import ItemRecord, KnowledgeBase, verify
from receiver.knowledge_base.store.layout import Layout
from receiver.knowledge_base.store.schema import blob_digest
from tests.tools.knowledge_base import fill, found_ids, vectors


def flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1 << (place % 8)
    path.write_bytes(data)


@pytest.fixture
def with_picture(tmp_path: Path) -> Path:
    """A knowledge base of three items: plain, with a picture outside, and with one copied in; all on the disk."""
    outside = tmp_path / "outside.png"
    outside.write_bytes(b"outside picture " * 50)
    directory = tmp_path / "kb"
    fill(directory, vectors(30))
    copied = b"copied picture " * 50
    with KnowledgeBase.open(directory, writable=True) as kb:
        e = vectors(2, seed=1)
        digest = blob_digest(outside.read_bytes())
        kb.add([ItemRecord("out", "a", e[0], thumbnail=b"thumb-out" * 9, path=str(outside), picture_digest=digest)])
        kb.add(
            [ItemRecord("in", "a", e[1], thumbnail=b"thumb-in" * 9, picture=copied, picture_digest=blob_digest(copied))]
        )
        kb.compact()
    return directory


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (vectors(2, seed=1)[0].astype("<f4").tobytes()[:32], "embedding of 'out'"),
        (b"thumb-in" * 9, "thumbnail of 'in'"),
        (b"copied picture " * 50, "picture of 'in'"),
    ],
)
def test_verify_names_the_item_of_a_flipped_bit(with_picture: Path, content: bytes, said: str) -> None:
    assert verify(with_picture).problems == ()
    store = Layout(with_picture).current()
    flip(store, store.read_bytes().index(content) + 7)
    problems = verify(with_picture).problems
    assert len(problems) == 1, problems
    assert said in problems[0]


def test_verify_finds_a_flipped_bit_of_the_index(with_picture: Path) -> None:
    index = Layout(with_picture).index(Layout(with_picture).current(), "flat")
    flip(index, index.stat().st_size // 2)
    assert [f"the index {index} is damaged" in one for one in verify(with_picture).problems] == [True]
    with KnowledgeBase.open(with_picture) as kb:
        assert found_ids(kb, vectors(1)) == [["item-0"]]
    assert verify(with_picture).problems == (), "the index was built again"


def test_verify_finds_every_flipped_bit_that_matters(with_picture: Path) -> None:
    """200 places of the store: what verify does not find leaves everything as it was."""
    store = Layout(with_picture).current()
    whole = store.read_bytes()
    missed = 0
    for place in np.random.default_rng(0).integers(0, len(whole), 200).tolist():
        flip(store, place)
        if not verify(with_picture).problems:
            missed += 1
            with KnowledgeBase.open(with_picture) as kb:
                items = [kb.get_item(one) for one in kb.view.item_ids]
                assert kb.description.items == len(items) == 32
                assert [one.embedding.tobytes() for one in items[:30]] == [
                    one.astype("<f4").tobytes() for one in vectors(30)
                ]
        store.write_bytes(whole)
    assert missed < 140, "SQLite leaves part of its pages unused, not nearly all"


def test_a_picture_that_is_gone_or_changed_is_told(with_picture: Path) -> None:
    outside = with_picture.parent / "outside.png"
    outside.write_bytes(b"another")
    assert ["'out' is not what was stored any more" in one for one in verify(with_picture).problems] == [True]
    outside.unlink()
    assert ["'out' is gone" in one for one in verify(with_picture).problems] == [True]
    with KnowledgeBase.open(with_picture) as kb:
        assert kb.get_item("out").thumbnail == b"thumb-out" * 9
