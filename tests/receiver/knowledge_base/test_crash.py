"""Writers that are killed, that meet a full disk, and that are two."""

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep

import numpy as np
import pytest

from client import Added, KnowledgeBaseClient, NewItem
from receiver.knowledge_base import ItemRecord, KnowledgeBase
from receiver.knowledge_base.store.lock import WriterLock
from shared.errors import Exhausted, SemLinkError, Unavailable
from tests.tools.knowledge_base import ORIGIN, fill, vectors
from tests.tools.rpc import PATIENCE, Running, process

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # a process that forks must not have others


def run(*arguments: object, **options) -> subprocess.CompletedProcess[str]:
    """Run a module of the tests to its end."""
    command = [sys.executable, "-m", *map(str, arguments)]
    return subprocess.run(
        command, env=os.environ | ONE_THREAD, capture_output=True, encoding="utf-8", check=False, **options
    )


@pytest.mark.slow
@pytest.mark.parametrize(("what", "moments"), [("changes", 100), ("builds", 30)])
def test_kill_9_at_a_hundred_moments_loses_nothing_that_was_acknowledged(
    tmp_path: Path, what: str, moments: int
) -> None:
    """Add, remove, relabel, compaction, index swap, snapshot, restore; and builds, which are resumed."""
    seed = int.from_bytes(os.urandom(4), "little")
    done = run("tests.tools.knowledge_base_crasher", what, tmp_path / "kb", moments, seed, timeout=170)
    assert not done.returncode, f"seed {seed}\n{done.stdout}\n{done.stderr}"


def test_a_second_writer_is_refused_and_readers_are_not(tmp_path: Path) -> None:
    fill(tmp_path, vectors(100))
    holder = subprocess.Popen(
        [sys.executable, "-m", "tests.receiver.knowledge_base.test_crash", "hold", str(tmp_path)],
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        for write in (lambda: fill(tmp_path, vectors(5)), lambda: KnowledgeBase.open(tmp_path, writable=True)):
            with pytest.raises(Unavailable, match=rf"being written by another process \(pid {holder.pid} on "):
                write()
        with KnowledgeBase.open(tmp_path) as one, KnowledgeBase.open(tmp_path) as other:
            assert one.description == other.description
            with pytest.raises(Unavailable, match="reading alone"):
                one.remove(["item-0"])
    finally:
        holder.kill()
        holder.communicate(timeout=10)
    with KnowledgeBase.open(tmp_path, writable=True) as kb:
        assert kb.remove(["item-0"]) == 1


def test_a_receiver_that_is_killed_while_it_adds_has_what_it_acknowledged(tmp_path: Path) -> None:
    """A real process, over gRPC: SIGKILL after some answers of a stream of items."""
    fill(tmp_path / "kb", vectors(20))
    fresh = vectors(20_000, seed=1)
    acknowledged: list[str] = []
    with process("receiver", tmp_path, "--kb", str(tmp_path / "kb"), "--device", "cpu") as receiver:
        wait_ready(receiver)
        with KnowledgeBaseClient(receiver.address) as client:
            items = (NewItem(f"new-{n}", "new", embedding=one) for n, one in enumerate(fresh))
            with pytest.raises(SemLinkError):
                add_and_kill(client.add(items, ORIGIN.clip_fingerprint), acknowledged, receiver)
    assert 1500 <= len(acknowledged) < 20_000
    with KnowledgeBase.open(tmp_path / "kb") as kb:
        there = {line.item_id for line in kb.list_items(count=30_000)}
        assert there >= set(acknowledged)
        assert kb.description.items == len(there)
        found = kb.search(fresh[[int(one.split("-")[1]) for one in acknowledged[-50:]]], 1)
        assert [hits[0].item_id for hits in found] == acknowledged[-50:]
        assert kb.verify().problems == ()


def add_and_kill(outcomes: Iterator[Added], acknowledged: list[str], receiver: Running) -> None:
    """Note what is acknowledged, and kill the receiver on the way."""
    for added in outcomes:
        assert added.error is None
        acknowledged.append(added.item_id)
        if len(acknowledged) == 1500:
            receiver.signal(signal.SIGKILL)


def wait_ready(receiver: Running) -> None:
    """Until it answers."""
    deadline = monotonic() + PATIENCE
    while True:
        try:
            with KnowledgeBaseClient(receiver.address) as client:
                client.describe()
                return
        except SemLinkError:
            assert monotonic() < deadline, receiver.log.read_text(encoding="utf-8")
            sleep(0.1)


@pytest.mark.parametrize("disk", ["limit", "tmpfs"])
def test_a_full_disk_is_said_and_leaves_all_as_it_was(tmp_path: Path, disk: str) -> None:
    """A process that may write files of 600 KiB at most, or a real disk of 2 MiB; with room again it goes on."""
    if (
        disk == "tmpfs"
        and subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(tmp_path)], capture_output=True, check=False
        ).returncode
    ):
        pytest.skip("this process may not mount a tmpfs")
    try:
        done = run("tests.receiver.knowledge_base.test_crash", f"fill-{disk}", tmp_path / "kb", timeout=100)
    finally:
        if disk == "tmpfs":
            subprocess.run(["umount", "-l", str(tmp_path)], check=True)
    assert done.stdout.splitlines()[-1:] == ["went on"], done.stdout + done.stderr


def _hold(directory: Path) -> None:
    with WriterLock(directory):
        print("held", flush=True)
        sys.stdin.read()


def _fill_disk(directory: Path, limited: bool) -> None:
    """Add until the disk is full, see that all is as it was, make room and go on."""
    fill(directory, vectors(20))
    ballast = directory.parent / "ballast"
    if limited:
        resource.setrlimit(resource.RLIMIT_FSIZE, (600 << 10, resource.RLIM_INFINITY))
    else:
        ballast.write_bytes(bytes(200_000))
    with KnowledgeBase.open(directory, writable=True) as kb:
        added = 0
        while added < 5000:
            before = kb.description
            new = [ItemRecord(f"new-{added + n}", "new", v) for n, v in enumerate(vectors(30, seed=added + 1))]
            try:
                assert all(isinstance(one, int) for one in kb.add(new))
            except Exhausted as error:
                print(error)
                break
            added += len(new)
        assert 0 < added < 5000, "the disk was not full"
        assert kb.description == before
        _require(kb, added)
        for full in (lambda: kb.snapshot("full"), lambda: kb.remove([f"item-{n}" for n in range(19)])):
            try:
                full()
            except Exhausted as error:
                print(error)
        assert not list(directory.glob("snapshots/*.sqlite")) or kb.verify().problems == ()
        if limited:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        ballast.unlink(missing_ok=True)
        kb.add(new[:2])
        _require(kb, added)
    with KnowledgeBase.open(directory) as kb:
        assert kb.get_item(new[1].item_id).label == "new"
        assert kb.verify().problems == ()
    print("went on")


def _require(kb: KnowledgeBase, added: int) -> None:
    found = kb.view.nearest(vectors(30, seed=1), 1)[0][:, 0]
    assert [kb.view.item_ids[position] for position in found] == [f"new-{n}" for n in range(30)]
    assert kb.get_item(f"new-{added - 1}").label == "new"
    assert np.isfinite(kb.view.embeddings_of(found)).all()


if __name__ == "__main__":
    if sys.argv[1] == "hold":
        _hold(Path(sys.argv[2]))
    else:
        _fill_disk(Path(sys.argv[2]), limited=sys.argv[1] == "fill-limit")
