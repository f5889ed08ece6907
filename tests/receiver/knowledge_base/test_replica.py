"""A reader follows the writer, which is another process."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from structlog.testing import capture_logs

from receiver.knowledge_base import EngineSettings, HasWriter, ItemRecord, KnowledgeBase
from receiver.settings import ReceiverSettings
from receiver.startup import open_knowledge_base
from shared.errors import Unavailable
from tests.tools.knowledge_base import fill, vectors
from tests.tools.knowledge_base_writer import new

PATIENCE_SECONDS = 60  # of a busy machine


class Writer:
    """The other process; each call of `do` returns the version that was acknowledged."""

    def __init__(self, directory: Path, engine: str, merge_items: int) -> None:
        command = [sys.executable, "-m", "tests.tools.knowledge_base_writer", directory, engine, merge_items]
        self._process = subprocess.Popen(
            list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8", bufsize=1
        )
        self._acknowledged()

    def do(self, line: str) -> int:
        assert self._process.stdin is not None
        print(line, file=self._process.stdin, flush=True)
        return self._acknowledged()

    def stop(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        assert self._process.wait(PATIENCE_SECONDS) == 0

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def _acknowledged(self) -> int:
        assert self._process.stdout is not None
        for line in self._process.stdout:  # its log comes between
            if line.startswith("done "):
                return int(line.split()[1])
        raise AssertionError("the writer died")


def wait_until(true: Callable[[], object]) -> None:
    """Ask every 10 ms, until the patience ends."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Pair:
    """A reader and the writer that it follows."""

    def __init__(self, directory: Path, engine: str, merge_items: int) -> None:
        self.directory = directory
        self.writer = Writer(directory, engine, merge_items)
        self.kb = KnowledgeBase.open(directory, EngineSettings(name=engine), follow_seconds=0.02)

    def do(self, line: str) -> None:
        """Let the writer do something and the reader see it."""
        version = self.writer.do(line)
        wait_until(lambda: self.kb.view.head.version >= version)

    def close(self) -> None:
        self.kb.close()
        self.writer.kill()


@pytest.fixture(params=["flat", "ivf-sq8"])
def pair(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Pair]:
    fill(tmp_path / "kb", vectors(300))
    made = Pair(tmp_path / "kb", request.param, 10_000)
    yield made
    made.close()


def first(kb: KnowledgeBase, seed: int, row: int) -> str:
    return kb.search(vectors(row + 1, seed=seed)[row:], 1)[0][0].item_id


def test_changes_are_followed(pair: Pair) -> None:
    assert first(pair.kb, 1, 3) != "new-1-3"
    pair.do("kb.add(new(20, 1))")
    assert [first(pair.kb, 1, row) for row in range(20)] == [f"new-1-{row}" for row in range(20)]
    pair.do("kb.remove(['new-1-3', 'item-7']); kb.add(new(5, 2))")
    assert first(pair.kb, 1, 3) != "new-1-3"
    assert first(pair.kb, 2, 4) == "new-2-4"
    pair.do("kb.relabel({'new-1-4': 'another', 'item-0': 'new'})")
    assert pair.kb.search(vectors(5, seed=1)[4:], 1)[0][0].label == "another"
    pair.do("kb.add(new(1, 3)); kb.remove(['new-3-0']); kb.add(new(1, 3, 'again'))")
    assert pair.kb.search(vectors(1, seed=3), 1)[0][0].label == "again"
    pair.writer.stop()
    with KnowledgeBase.open(pair.directory) as there:
        assert there.view.fingerprint == pair.kb.view.fingerprint
        assert there.view.item_ids == pair.kb.view.item_ids


def test_a_new_generation_of_the_index_is_taken_over(pair: Pair) -> None:
    pair.do("kb.add(new(64, 1)); kb.remove([f'item-{n}' for n in range(0, 100)])")
    assert pair.kb.view.covered == 300
    pair.do("kb.compact()")
    wait_until(lambda: pair.kb.view.covered == 364)
    assert pair.kb.view.delta.count == 0
    assert len(pair.kb.view.engine) == 264
    assert [first(pair.kb, 1, row) for row in range(64)] == [f"new-1-{row}" for row in range(64)]


def test_another_store_is_taken_over(pair: Pair) -> None:
    pair.do("kb.snapshot('before'); kb.add(new(10, 1))")
    assert first(pair.kb, 1, 0) == "new-1-0"
    pair.do("kb.restore('before')")
    assert first(pair.kb, 1, 0) != "new-1-0"
    pair.writer.stop()
    fill(pair.directory, vectors(40, seed=5), prefix="other")  # built anew
    wait_until(lambda: pair.kb.description.items == 40)
    assert first(pair.kb, 5, 17) == "other-17"


def test_a_reader_folds_what_it_follows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("receiver.knowledge_base.knowledge_base.MERGE_ITEMS", 50)
    fill(tmp_path / "kb", vectors(300))
    pair = Pair(tmp_path / "kb", "ivf-sq8", 10_000)
    try:
        files = sorted(tmp_path.joinpath("kb").glob("*.index"))
        pair.do("kb.add(new(64, 1))")
        wait_until(lambda: pair.kb.view.delta.count < 50)
        assert len(pair.kb.view.engine) == 364
        assert first(pair.kb, 1, 63) == "new-1-63"
        assert sorted(tmp_path.joinpath("kb").glob("*.index")) == files, "a reader writes nothing"
    finally:
        pair.close()


def test_searches_never_stop_and_are_never_wrong(pair: Pair) -> None:
    """Two threads search while the other process adds, removes and compacts."""
    wrong: list[str] = []
    searches, stop = [0], threading.Event()
    known = [f"item-{n}" for n in range(200, 300)]

    def search() -> None:
        while not stop.is_set():
            found = [[hit.item_id for hit in hits] for hits in pair.kb.search(vectors(300)[200:], 3)]
            wrong.extend(str(ids) for ids, own in zip(found, known, strict=True) if ids[0] != own or len({*ids}) != 3)
            searches[0] += 1

    threads = [threading.Thread(target=search, daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    for seed in range(1, 7):
        pair.do(f"kb.add(new(40, {seed})); kb.remove(['item-{seed}'])")
        if seed % 2:
            pair.do("kb.compact()")
    stop.set()
    for thread in threads:
        thread.join()
    assert not wrong, wrong[:3]
    assert searches[0] > 10
    assert pair.kb.description.items == 300 + 6 * 39


def test_a_killed_writer_and_the_next_one_are_followed(pair: Pair) -> None:
    pair.do("kb.add(new(10, 1))")
    pair.writer.kill()
    assert first(pair.kb, 1, 9) == "new-1-9"
    pair.writer = Writer(pair.directory, pair.kb.description.engine, 10_000)
    pair.do("kb.add(new(10, 2))")
    assert first(pair.kb, 2, 9) == "new-2-9"


def test_a_damaged_change_is_not_served(tmp_path: Path) -> None:
    """The reader goes on with what it read before, and says so once."""
    fill(tmp_path, vectors(30))
    with capture_logs() as lines, KnowledgeBase.open(tmp_path, follow_seconds=0.01) as kb:
        pointer, aside = tmp_path / "current", tmp_path / "aside"
        aside.write_bytes(pointer.read_bytes())
        tmp_path.joinpath("wrong").write_bytes(b"store-gone")
        tmp_path.joinpath("wrong").replace(pointer)
        wait_until(lambda: any("cannot follow" in line["event"] for line in lines))
        assert "damaged" in next(line["reason"] for line in lines if "cannot follow" in line["event"])
        assert first(kb, 0, 3) == "item-3"
        aside.replace(pointer)
        with KnowledgeBase.open(tmp_path, writable=True) as writer:
            writer.add([ItemRecord("late", "late", vectors(1, seed=9)[0])])
            wait_until(lambda: kb.description.items == 31)
    assert len([line for line in lines if "cannot follow" in line["event"]]) == 1


def test_a_reader_that_does_not_follow_stays_as_it_was(tmp_path: Path) -> None:
    fill(tmp_path, vectors(30))
    with KnowledgeBase.open(tmp_path) as kb, KnowledgeBase.open(tmp_path, writable=True) as writer:
        writer.add(new(5, 1))
        assert kb.description.items == 30
        assert kb._following is None
        assert np.array_equal(kb.view.nearest(vectors(30), 1)[0].ravel(), np.arange(30))


def test_of_receivers_that_start_at_once_one_builds_and_writes_and_the_others_follow(tmp_path: Path) -> None:
    """On flock, two opens of one process are as apart as two processes."""
    for number in range(6):
        folder = tmp_path / "pictures" / f"label {number % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 40), (40 * number, 90, 200)).save(folder / f"{number}.png")
    settings = ReceiverSettings(kb=tmp_path / "kb", kb_source=str(tmp_path / "pictures"), share=True, device="cpu")
    with ThreadPoolExecutor(3) as threads:
        opened = list(threads.map(open_knowledge_base, [settings] * 3))
    try:
        writers = [kb for kb in opened if kb._writer is not None]
        assert len(writers) == 1
        with pytest.raises(HasWriter, match=rf"pid {os.getpid()} on "):
            open_knowledge_base(ReceiverSettings(kb=settings.kb))
        dim = writers[0].description.dim
        writers[0].add([ItemRecord("late", "late", np.ones(dim, np.float32))])
        wait_until(lambda: {kb.description.items for kb in opened} == {7})
        reader = next(kb for kb in opened if kb is not writers[0])
        with pytest.raises(Unavailable, match=rf"the receiver that writes it \(pid {os.getpid()} on "):
            reader.remove(["late"])
    finally:
        for kb in opened:
            kb.close()
