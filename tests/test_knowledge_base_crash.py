"""Processes that build: killed at random moments, and two at once."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from receiver.knowledge_base import KnowledgeBase
from receiver.knowledge_base.durable import writer_lock
from shared.errors import Unavailable
from tests.test_knowledge_base import fill, vectors

MOMENTS = 15


def build_for_ever(directory: Path, generation: int) -> None:
    """Build one generation after the other, of 100 + g % 50 items each; say which one is done."""
    while True:
        fill(directory, vectors(100 + generation % 50, seed=generation), prefix=f"{generation}")
        print(generation, flush=True)
        generation += 1


def start(directory: Path, generation: int) -> subprocess.Popen[bytes]:
    """A process that has built one generation and goes on."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.test_knowledge_base_crash", str(directory), str(generation)],
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip() == str(generation).encode()
    return process


def kill(process: subprocess.Popen[bytes]) -> bytes:
    """Kill -9; what the process had said till then."""
    process.send_signal(signal.SIGKILL)
    return process.communicate(timeout=10)[0]


def check_whole(directory: Path) -> int:
    """The generation that is there, after proof that all of it is and nothing else."""
    with KnowledgeBase.open(directory) as kb:
        generation = int(kb.item_ids[0].split("-")[0])
        embeddings = vectors(100 + generation % 50, seed=generation)
        assert kb.item_ids == tuple(f"{generation}-{number}" for number in range(len(embeddings)))
        assert kb.nearest(embeddings, 1)[0][:, 0].tolist() == list(range(len(embeddings)))
    return generation


def test_kill_9_leaves_the_old_or_the_new(tmp_path: Path) -> None:
    rng = np.random.default_rng()
    generation = 0
    for _ in range(MOMENTS):
        process = start(tmp_path, generation)
        time.sleep(rng.uniform(0, 0.06))
        said = kill(process).split()
        acknowledged = int(said[-1]) if said else generation
        assert check_whole(tmp_path) in (acknowledged, acknowledged + 1)
        generation = acknowledged + 2
    fill(tmp_path, vectors(100), prefix="0")
    assert check_whole(tmp_path) == 0
    assert not list(tmp_path.glob(".*")), "a killed builder's leftovers are cleared away by the next"


def test_a_killed_build_lets_the_next_one_in(tmp_path: Path) -> None:
    kill(start(tmp_path, 0))
    fill(tmp_path, vectors(100), prefix="0")
    assert check_whole(tmp_path) == 0


def test_the_second_of_two_builders_is_refused(tmp_path: Path) -> None:
    fill(tmp_path, vectors(100), prefix="0")
    holder = subprocess.Popen(
        [sys.executable, "-m", "tests.test_knowledge_base_crash", str(tmp_path), "hold"], stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(Unavailable, match=rf"being written by another process \(pid {holder.pid}\)"):
        fill(tmp_path, vectors(5))
    assert check_whole(tmp_path) == 0
    kill(holder)
    fill(tmp_path, vectors(101, seed=1), prefix="1")
    assert check_whole(tmp_path) == 1


def hold(directory: Path) -> None:
    """Be the directory's writer until killed."""
    with writer_lock(directory):
        print("held", flush=True)
        time.sleep(60)


if __name__ == "__main__":
    if sys.argv[2] == "hold":
        hold(Path(sys.argv[1]))
    else:
        build_for_ever(Path(sys.argv[1]), int(sys.argv[2]))
