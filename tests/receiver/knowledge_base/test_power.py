"""A pulled plug: what the disk was told to keep, and in which order.

Each file that takes another's place was brought to the disk as it is now, and its directory afterwards; a store is on
the disk, with an empty log, before anything names it. Commits are SQLite's own; here its settings are looked at.
"""

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from receiver.confidence import CONFIDENCE_FILE, shipped_confidence
from receiver.knowledge_base import EngineSettings, ItemRecord, KnowledgeBase, knowledge_base, restore_snapshot
from receiver.knowledge_base.index.settings import Tuning, write_tuning
from receiver.knowledge_base.store.layout import Layout
from tests.tools.knowledge_base import fill, vectors

FULL = 2  # of PRAGMA synchronous


def state(path: Path) -> tuple[int, int, int]:
    """What changes with every write: inode, size, time of the last change."""
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


class Disk:
    """Listens to fsync and rename, and complains of what a pulled plug could undo."""

    def __init__(self) -> None:
        self.kept: set[tuple[int, int, int]] = set()
        self.waiting: dict[int, Path] = {}  # renamed, the directory not yet on the disk: by its inode
        self.renamed: list[str] = []
        self._fsync, self._replace = os.fsync, Path.replace

    def fsync(self, descriptor: int) -> None:
        self._fsync(descriptor)
        status = os.fstat(descriptor)
        self.kept.add((status.st_ino, status.st_size, status.st_mtime_ns))
        self.waiting.pop(status.st_ino, None)

    def replace(self, source: Path, target: Path) -> Path:
        assert state(source) in self.kept, f"{target} may be empty after a power cut: it was not brought to the disk"
        if target.name == "current":
            self.require_whole(target.parent / source.read_text(encoding="utf-8").strip())
        moved = self._replace(source, target)
        self.waiting[target.parent.stat().st_ino] = target
        self.renamed.append(target.name)
        return moved

    def require_whole(self, store: Path) -> None:
        """A store that is to be named lies on the disk, all of it in the one file."""
        assert state(store) in self.kept, f"{store} is named before it is on the disk"
        log = store.with_name(f"{store.name}-wal")
        assert not log.exists() or not log.stat().st_size, f"{log} holds a part of it"


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    disk = Disk()
    monkeypatch.setattr(os, "fsync", disk.fsync)
    monkeypatch.setattr(Path, "replace", lambda self, target: disk.replace(self, Path(target)))
    yield disk
    assert not disk.waiting, f"the directories of {disk.waiting.values()} were not brought to the disk"


def test_the_recorder_sees_what_is_missing(disk: Disk, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("written, not kept", encoding="utf-8")
    with pytest.raises(AssertionError, match="not brought to the disk"):
        path.replace(tmp_path / "other")
    with path.open("r+b") as file:
        os.fsync(file.fileno())
    path.replace(tmp_path / "other")
    assert disk.waiting
    disk.waiting.clear()


@pytest.mark.parametrize("engine", ["flat", "ivf-sq8"])
def test_nothing_is_named_before_it_is_on_the_disk(
    disk: Disk, tmp_path: Path, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Build, add, merge, snapshot, compaction, restore by the receiver and without one, tuning, calibration."""
    monkeypatch.setattr(knowledge_base, "MERGE_ITEMS", 16)
    monkeypatch.setattr(knowledge_base, "_SAVED_SHARE", 0)
    directory = tmp_path / "new" / "deep" / "kb"
    fill(directory, vectors(60))
    assert disk.renamed == ["building", *(name for name in disk.renamed if name.endswith(".index")), "current"]
    with KnowledgeBase.open(directory, EngineSettings(name=engine), writable=True) as kb:
        kb.add([ItemRecord(f"new-{n}", "new", one) for n, one in enumerate(vectors(40, seed=1))])
        kb._merge()
        kb.snapshot("one")
        kb.compact()
        kb.restore("one")
        write_tuning(directory, Tuning(engine, {}, 1.0, 1.0, 1.0, 100, 5.0, "raw"))
        shipped_confidence().write(directory / CONFIDENCE_FILE)
    restore_snapshot(directory, "one")
    assert disk.renamed.count("current") == 3
    assert {"one.sqlite", "tuning.json", CONFIDENCE_FILE} < set(disk.renamed)
    for path in (directory, directory.parent, directory.parent.parent, tmp_path):
        assert path.stat().st_ino in {kept[0] for kept in disk.kept}, f"{path} is not on the disk"


def test_a_commit_waits_for_the_disk(tmp_path: Path) -> None:
    """Also after a compaction and a restore, which open the store anew."""
    fill(tmp_path, vectors(30))
    with KnowledgeBase.open(tmp_path, writable=True) as kb:

        def waits() -> bool:
            assert kb._writer is not None
            connection: sqlite3.Connection = kb._writer._connection
            pragmas = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("synchronous", "journal_mode")]
            return pragmas == [FULL, "wal"]

        assert waits()
        kb.snapshot("one")
        kb.compact()
        assert waits()
        kb.restore("one")
        assert waits()
        assert Layout(tmp_path).current() == kb._writer.path
