"""A knowledge base that changes while it is searched: what is found, what is not any more, and what is damaged."""

import threading
from pathlib import Path

import numpy as np
import pytest

from receiver.knowledge_base import EngineSettings, ItemRecord, KnowledgeBase, knowledge_base
from shared.errors import InvalidInput, NotFound
from shared.types import Floats
from tests.tools.knowledge_base import HOSTILE, fill, found_ids, new, reopened, vectors


def test_an_item_is_found_once_it_is_added_and_gone_once_it_is_removed(kb: KnowledgeBase) -> None:
    fresh = vectors(40, seed=1)
    assert kb.add(new(fresh)) == list(range(300, 340))
    assert found_ids(kb, fresh) == [[f"new-{n}"] for n in range(40)]
    assert kb.description.items == 340
    assert kb.remove(["new-3", "item-7", "new-3"]) == 2
    assert "new-3" not in found_ids(kb, fresh[3:4], 338)[0]
    assert "item-7" not in found_ids(kb, vectors(300)[7:8], 338)[0]
    with pytest.raises(NotFound, match="'new-3'"):
        kb.get_item("new-3")
    before = kb.description, found_ids(kb, fresh, 338)
    with reopened(kb) as after:
        assert (after.description, found_ids(after, fresh, 338)) == before


def test_every_search_gives_each_item_exactly_once(kb: KnowledgeBase) -> None:
    """Exactness over bulk, delta and removed items: the same answer as one comparison with all embeddings."""
    kb.add(new(vectors(50, seed=1)))
    kb.remove([f"item-{n}" for n in range(0, 300, 3)] + ["new-0", "new-49"])
    live = np.flatnonzero(kb.view.live)
    queries = vectors(20, seed=2)
    positions, squared = kb.view.nearest(queries, len(live))
    expected = queries @ kb.view.embeddings_of(live).T
    np.testing.assert_array_equal(np.sort(positions, axis=1), np.tile(live, (20, 1)))
    np.testing.assert_allclose(squared, 2 - 2 * -np.sort(-expected, axis=1), atol=2e-6)


def test_a_removed_id_can_come_again_with_another_meaning(kb: KnowledgeBase) -> None:
    kb.remove(["item-5"])
    assert kb.add([ItemRecord("item-5", "back", vectors(1, seed=8)[0])]) == [300]
    assert kb.get_item("item-5").label == "back"
    assert found_ids(kb, vectors(1, seed=8)) == [["item-5"]]
    assert found_ids(kb, vectors(300)[5:6]) != [["item-5"]]


def test_what_cannot_be_stored_is_told_and_the_others_are_stored(kb: KnowledgeBase) -> None:
    good, other = vectors(2, seed=3)
    outcomes = kb.add(
        [
            ItemRecord("good", "a", good),
            ItemRecord("item-1", "a", other),
            ItemRecord("good", "a", other),
            ItemRecord("", "a", other),
            ItemRecord("nan", "a", other * np.float32(np.nan)),
            ItemRecord("short", "a", other[:5]),
            ItemRecord("other", "x" * 4097, other),
        ]
    )
    assert outcomes[0] == 300
    assert all(isinstance(one, InvalidInput) for one in outcomes[1:])
    said = [str(one) for one in outcomes[1:]]
    assert [word in text for word, text in zip(_SAID, said, strict=True)] == [True] * 6, said
    assert kb.description.items == 301


_SAID = ("'item-1' comes twice", "'good' comes twice", "empty id", "length nan", "(5,)", "4097 bytes")


def test_removing_and_relabelling_are_all_or_none(kb: KnowledgeBase) -> None:
    before = kb.description
    with pytest.raises(NotFound, match="'nobody'"):
        kb.remove(["item-1", "nobody"])
    with pytest.raises(NotFound, match="'nobody'"):
        kb.relabel({"item-1": "cat", "nobody": "cat"})
    with pytest.raises(InvalidInput, match="at least one"):
        kb.remove([f"item-{n}" for n in range(300)])
    assert kb.description == before
    assert kb.get_item("item-1").label == "label 1"


def test_another_label_is_seen_at_once_and_after_a_restart(kb: KnowledgeBase) -> None:
    assert kb.relabel({"item-3": "猫", "item-4": "label 1"}) == 2
    assert kb.search(vectors(300)[3:5], 1)[0][0].label == "猫"
    assert kb.description.labels == 8
    with reopened(kb) as after:
        assert [after.get_item(f"item-{n}").label for n in (3, 4)] == ["猫", "label 1"]
        assert after.description == kb.description


def test_a_search_can_be_limited_to_labels(kb: KnowledgeBase) -> None:
    queries = vectors(5, seed=4)
    kb.add(new(vectors(30, seed=5), label="rare"))
    for labels in (["rare"], ["label 2", "rare"], ["nothing"]):
        wanted = np.isin(np.array(kb.view.labels, object)[kb.view.label_codes], labels)
        hits = kb.search(queries, 400, labels)
        assert all({hit.label for hit in found} <= set(labels) for found in hits)
        assert [len(found) for found in hits] == [wanted.sum()] * 5


def test_the_version_counts_changes_and_the_fingerprint_is_of_the_content(kb: KnowledgeBase) -> None:
    start = kb.description
    kb.add(new(vectors(2, seed=1)))
    kb.relabel({"new-0": "a"})
    changed = kb.description
    assert (changed.version, changed.items) == (start.version + 3, start.items + 2)
    kb.remove(["new-0", "new-1"])
    assert kb.description.version == start.version + 5
    assert kb.description.fingerprint == start.fingerprint != changed.fingerprint


def test_a_large_delta_is_folded_and_nothing_is_lost(kb: KnowledgeBase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(knowledge_base, "MERGE_ITEMS", 50)
    monkeypatch.setattr(knowledge_base, "_SAVED_SHARE", 0)
    fresh = vectors(500, seed=1)
    for start in range(0, 500, 20):
        kb.add(new(fresh[start : start + 20], prefix=f"new-{start}"))
    kb._upkeep_lock.acquire()  # wait for the fold
    kb._upkeep_lock.release()
    assert kb.view.covered > 300
    expected = [[f"new-{n // 20 * 20}-{n % 20}"] for n in range(500)]
    assert found_ids(kb, fresh) == expected
    with reopened(kb) as after:
        assert after.view.covered > 300, "the index on disk was brought up to date"
        assert found_ids(after, fresh) == expected


def test_compaction_forgets_what_was_removed(kb: KnowledgeBase) -> None:
    kb.remove([f"item-{n}" for n in range(200)])
    kb.add(new(vectors(3, seed=1)))
    size = kb.view.store.path.stat().st_size
    before = kb.description
    kb.compact()
    assert (len(kb.view.engine), kb.view.delta.count) == (103, 0)
    assert kb.description == before
    assert kb.view.store.path.stat().st_size < size
    assert found_ids(kb, vectors(3, seed=1)) == [["new-0"], ["new-1"], ["new-2"]]
    assert kb.verify().problems == ()


def test_another_engine_takes_over_while_searches_go_on(tmp_path: Path) -> None:
    fill(tmp_path, vectors(300))
    with KnowledgeBase.open(tmp_path, writable=True) as kb:
        old = kb.view
        kb.compact(EngineSettings(name="hnsw"))
        assert (old.engine.name, kb.description.engine) == ("flat", "hnsw")
        assert len(list(tmp_path.glob("*.index"))) == 1
        assert found_ids(kb, vectors(300)) == [[f"item-{n}"] for n in range(300)]
        assert (old.nearest(vectors(300), 1)[0][:, 0] == np.arange(300)).all()


class Searching:
    """Searches again and again for items that were acknowledged; keeps what was wrong."""

    def __init__(self, kb: KnowledgeBase, fresh: Floats) -> None:
        self.acknowledged = 0
        self.done = threading.Event()
        self.searches = 0
        self.wrong: list[str] = []
        self._kb, self._fresh = kb, fresh

    def run(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        while not self.done.is_set():
            if count := self.acknowledged:
                self._search(rng.integers(0, count, 4))

    def _search(self, wanted: np.ndarray) -> None:
        view = self._kb.view
        positions, _ = view.nearest(self._fresh[wanted], 30)
        self.searches += 1
        for number, row in zip(wanted, positions.tolist(), strict=True):
            if view.item_ids[row[0]] != f"new-{number}":
                self.wrong.append(f"new-{number} finds {view.item_ids[row[0]]}")
            if len(set(row)) != len(row) or not view.live[row].all():
                self.wrong.append(f"an item twice, or one that was removed: {row}")


def test_searches_during_heavy_adding_find_true_items_once(kb: KnowledgeBase, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three threads search while one adds, removes and folds: what was acknowledged before a search is in it."""
    monkeypatch.setattr(knowledge_base, "MERGE_ITEMS", 100)
    fresh = vectors(1500, seed=1)
    searching = Searching(kb, fresh)
    threads = [threading.Thread(target=searching.run, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    try:
        for start in range(0, 1500, 25):
            kb.add([ItemRecord(f"new-{n}", "new", fresh[n]) for n in range(start, start + 25)])
            kb.add([ItemRecord(f"short-lived-{start}", "x", fresh[start] + np.float32(0.01))])
            kb.remove([f"short-lived-{start}"])
            searching.acknowledged = start + 25
    finally:
        searching.done.set()
        for thread in threads:
            thread.join(60)
    assert not searching.wrong, searching.wrong[:5]
    assert searching.searches
    assert kb.view.covered > 300, "nothing was folded meanwhile"


def test_texts_of_any_kind_can_be_added_live(kb: KnowledgeBase) -> None:
    fresh = vectors(len(HOSTILE), seed=1)
    kb.add([ItemRecord(t, t[::-1], e, caption=t, path=f"/nowhere/{t}") for t, e in zip(HOSTILE, fresh, strict=True)])
    with reopened(kb) as after:
        for text in HOSTILE:
            item = after.get_item(text)
            assert (item.label, item.caption, item.path) == (text[::-1], text, f"/nowhere/{text}")
        listed = [line.item_id for line in after.list_items(after=299)]
    assert listed == HOSTILE


def test_a_list_goes_page_by_page(kb: KnowledgeBase) -> None:
    kb.remove(["item-5"])
    page = kb.list_items(count=10)
    assert [line.item_id for line in page] == [f"item-{n}" for n in range(11) if n != 5]
    assert kb.list_items(after=page[-1].position, count=1)[0].item_id == "item-11"
    assert [line.item_id for line in kb.list_items(count=2, label="label 3")] == ["item-3", "item-10"]
