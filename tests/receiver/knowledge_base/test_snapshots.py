"""Snapshots of a knowledge base that is served, and the way back."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from receiver.knowledge_base import KnowledgeBase
from receiver.knowledge_base.store.schema import seal
from shared.errors import DataLoss, Exhausted, InvalidInput, Mismatch, NotFound
from tests.tools.knowledge_base import fill, found_ids, new, reopened, vectors


def test_a_snapshot_brings_everything_back(kb: KnowledgeBase) -> None:
    made = kb.snapshot("before")
    start = kb.description
    assert (made.items, made.version, made.fingerprint) == (300, start.version, start.fingerprint)
    kb.remove(["item-0", "item-1"])
    kb.add(new(vectors(5, seed=1)))
    old = kb.view
    kb.restore("before")
    assert kb.description.fingerprint == start.fingerprint
    assert kb.description.version > old.head.version
    assert found_ids(kb, vectors(2)) == [["item-0"], ["item-1"]]
    assert old.hits(*old.nearest(vectors(5, seed=1), 1))[0][0].item_id == "new-0", "who searches goes on with the old"
    assert kb.add(new(vectors(5, seed=6))) == list(range(300, 305))
    with reopened(kb) as after:
        assert found_ids(after, vectors(5, seed=6)) == [[f"new-{n}"] for n in range(5)]
        assert after.verify().problems == ()


def test_a_snapshot_that_is_not_there_or_damaged_changes_nothing(kb: KnowledgeBase) -> None:
    path = Path(kb.snapshot("one").path)
    before = kb.description
    with pytest.raises(NotFound, match=r"no snapshot 'two'.*there are: one"):
        kb.restore("two")
    whole = path.read_bytes()
    at = whole.index(vectors(300)[9].astype("<f4").tobytes()[:64])
    path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    with pytest.raises(DataLoss, match=r"snapshot .*one\.sqlite is damaged"):
        kb.restore("one")
    assert kb.description == before
    assert found_ids(kb, vectors(1)) == [["item-0"]]


@pytest.mark.parametrize("name", ["", "../../evil", "/etc/passwd", ".hidden", "a b", "x" * 101, "nul\x00", "猫"])
def test_a_snapshot_cannot_be_called_what_leads_elsewhere(kb: KnowledgeBase, name: str) -> None:
    for work in (kb.snapshot, kb.restore):
        with pytest.raises(InvalidInput, match="cannot be called"):
            work(name)


def test_a_snapshot_of_another_clip_is_refused(kb: KnowledgeBase) -> None:
    path = Path(kb.snapshot("other").path)
    with sqlite3.connect(path) as connection:
        meta = dict(connection.execute("SELECT key, value FROM meta"))
        meta["clip_fingerprint"] = "badc0de"
        meta["seal"] = seal(meta)
        connection.executemany("UPDATE meta SET value = ? WHERE key = ?", [(v, k) for k, v in meta.items()])
    with pytest.raises(Mismatch, match=r"badc0de.*c0ffee"):
        kb.restore("other")


def test_snapshots_are_listed_removed_and_limited(kb, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("receiver.knowledge_base.snapshots.MOST_SNAPSHOTS", 2)
    made = kb.snapshot("b")
    kb.snapshot("a")
    listed = kb.list_snapshots()
    assert [one.name for one in listed] == ["a", "b"]
    assert listed[1].size_bytes == made.size_bytes
    kb.snapshot("a")  # replaced
    with pytest.raises(Exhausted, match="semlink kb snapshots remove NAME"):
        kb.snapshot("c")
    with pytest.raises(NotFound, match="there are: a, b"):
        kb.remove_snapshot("c")
    assert [one.name for one in kb.remove_snapshot("a")] == ["b"]
    kb.snapshot("c")


def test_snapshots_of_one_name_are_taken_removed_and_restored_at_once(tmp_path: Path) -> None:
    """Whoever comes too late is told that there is none."""
    fill(tmp_path, vectors(8))
    with KnowledgeBase.open(tmp_path, writable=True) as kb, ThreadPoolExecutor(8) as pool:
        works = [
            lambda: kb.snapshot("s"),
            lambda: kb.remove_snapshot("s"),
            kb.list_snapshots,
            lambda: kb.restore("s"),
        ] * 40
        errors = [done.exception() for done in [pool.submit(work) for work in works]]
        found = {repr(error) for error in errors if error is not None and type(error) is not NotFound}
        assert not found
        assert kb.verify().problems == ()
