"""Kills writers of a knowledge base at random moments, many times in one process.

A child is forked for each moment: it is warm at once, and nothing in this process has threads before that. The
children do operations one by one and tell when one is acknowledged; the parent kills -9, opens what is there, and
compares it with a model of what was acknowledged. The operation that was at work may have happened as a whole, or not
at all.

    python -m tests.tools.knowledge_base_crasher changes|builds DIR MOMENTS SEED
"""

import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import sleep
from typing import NamedTuple

import numpy as np

from receiver.knowledge_base import EngineSettings, ItemRecord, KnowledgeBase, Origin, knowledge_base, write_store
from shared.errors import NotFound

ORIGIN = Origin(source="synthetic", clip="fake-clip", clip_fingerprint="c0ffee", dim=16)
BUILD_ITEMS = 400
ENGINES = ("flat", "ivf-sq8")

State = dict[str, str]  # label by id


class Operation(NamedTuple):
    """One change: what to do, and the knowledge base's content after it."""

    do: Callable[[KnowledgeBase], object]
    after: State


def vector(item_id: str) -> np.ndarray:
    """The embedding of an id: [16], unit length, the same always."""
    drawn = np.random.default_rng(int(item_id.split("-")[1])).standard_normal(ORIGIN.dim)
    return (drawn / np.linalg.norm(drawn)).astype(np.float32)


class Operations:
    """Draws operations that are possible one after the other."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._number = 0
        self._snapshots: dict[str, State] = {}

    def draw(self, state: State, count: int) -> list[Operation]:
        """So many, beginning in a state."""
        drawn: list[Operation] = []
        for _ in range(count):
            kind = self._rng.choice(["add", "remove", "relabel", "compact", "snapshot", "restore"], p=_LIKELY)
            drawn.append(getattr(self, f"_{kind}")(state))
            state = drawn[-1].after
        return drawn

    def forget_snapshots(self) -> None:
        """Snapshots that may have been made, or not, are not restored."""
        self._snapshots.clear()

    def _add(self, state: State) -> Operation:
        count = int(self._rng.integers(1, 12))
        ids = [f"item-{number}" for number in range(self._number, self._number + count)]
        self._number += count
        new = [ItemRecord(one, f"label {len(one) % 3}", vector(one), thumbnail=one.encode()) for one in ids]
        return Operation(lambda kb: kb.add(new), state | {one.item_id: one.label for one in new})

    def _remove(self, state: State) -> Operation:
        ids = self._some(state, len(state) - 1) if len(state) < _MANY else sorted(state)[: _MANY // 2]
        return Operation(lambda kb: kb.remove(ids), {one: label for one, label in state.items() if one not in ids})

    def _relabel(self, state: State) -> Operation:
        labels = {one: f"label {self._rng.integers(9)}" for one in self._some(state, 8)}
        return Operation(lambda kb: kb.relabel(labels), state | labels)

    def _compact(self, state: State) -> Operation:
        return Operation(lambda kb: kb.compact(), state)

    def _snapshot(self, state: State) -> Operation:
        name = f"s{self._rng.integers(3)}"
        self._snapshots[name] = state
        return Operation(lambda kb: kb.snapshot(name), state)

    def _restore(self, state: State) -> Operation:
        if not self._snapshots:
            return self._snapshot(state)
        name = str(self._rng.choice(sorted(self._snapshots)))
        return Operation(lambda kb: kb.restore(name), self._snapshots[name])

    def _some(self, state: State, most: int) -> list[str]:
        count = int(self._rng.integers(0, max(1, min(most, 8, len(state))) + 1)) if most > 0 else 0
        return [str(one) for one in self._rng.choice(sorted(state), count, replace=False)] if count else []


_MANY = 60  # items; beyond them many are removed at once
_LIKELY = [0.5, 0.15, 0.12, 0.1, 0.08, 0.05]


def killed(work: Callable[[Callable[[], object]], object], told: int, seconds: float) -> int:
    """Run `work(tell)` in a child and kill it some time after it has told so often; how often it had told by then."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(reading)
        try:
            work(lambda: os.write(writing, b"."))
        except BaseException as error:
            os.write(2, f"child: {error!r}\n".encode())
            os._exit(1)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb", buffering=0) as pipe:
        heard = 0
        while heard < told and pipe.read(1):
            heard += 1
        sleep(seconds)
        os.kill(pid, signal.SIGKILL)
        status = os.waitpid(pid, 0)[1]
        assert os.WIFSIGNALED(status) or not os.WEXITSTATUS(status), "an operation failed, see above"
        return heard + len(pipe.readall() or b"")


def operate(directory: Path, engine: str, operations: list[Operation], acknowledge: Callable[[], object]) -> None:
    """Do operations one by one. Small deltas are folded and saved, so that the index is swapped and written often."""
    knowledge_base.MERGE_ITEMS, knowledge_base._SAVED_SHARE = 8, 0
    with KnowledgeBase.open(directory, EngineSettings(name=engine), writable=True) as kb:
        for operation in operations:
            operation.do(kb)
            acknowledge()


def content(directory: Path, thorough: bool, engine: str = "flat") -> State:
    """What is there, after proof that each item is found, once, with its own embedding."""
    with KnowledgeBase.open(directory, EngineSettings(name=engine)) as kb:
        state = {line.item_id: line.label for line in kb.list_items(count=10**6)}
        queries = np.stack([vector(one) for one in state])
        # Among all items: asked for one alone, an approximate index that learned from eight items may look past it.
        found = kb.search(queries, 10**6)
        assert [hits[0].item_id for hits in found] == list(state), "an item does not find itself"
        for hits in found[:3]:
            assert {hit.item_id: hit.label for hit in hits} == state, "a search does not find all"
            assert len(hits) == len(state), "a search finds an item twice"
        assert kb.description.items == len(state)
        if thorough:
            assert all(np.allclose(kb.get_item(one).embedding, vector(one), atol=1e-6) for one in state)
            assert kb.verify().problems == ()
    return state


def kill_changes(directory: Path, moments: int, seed: int) -> None:
    """Kill a writer that changes a knowledge base."""
    rng = np.random.default_rng(seed)
    state: State = {"item-0": "first"}
    with write_store(directory, ORIGIN) as store:
        store.add("item-0", "first", vector("item-0"))
    operations, acknowledged = Operations(rng), 0
    operations._number = 1
    for moment in range(moments):
        drawn = operations.draw(state, 60)
        work = partial(operate, directory, ENGINES[moment % 2], drawn)
        done = killed(work, int(rng.integers(0, 6)), rng.uniform(0, 0.02))
        acknowledged += done
        found = content(directory, moment % 10 < 2, ENGINES[moment // 2 % 2])
        possible = [state if not done else drawn[done - 1].after] + [one.after for one in drawn[done : done + 1]]
        assert found in possible, (
            f"moment {moment}: {len(found)} items; acknowledged {done}: {possible[0]} or {drawn[done]}"
        )
        state = found
        operations.forget_snapshots()
    print(f"{moments} moments, {acknowledged} operations acknowledged, {len(state)} items at the end")
    assert acknowledged > moments


def build(directory: Path, generation: int, tell: Callable[[], object]) -> None:
    """Build one generation, which goes on where a build of it was stopped."""
    origin = Origin(f"generation {generation}", "fake-clip", "c0ffee", ORIGIN.dim)
    with write_store(directory, origin, resume=True) as store:
        stored = store.contents()
        for number in range(generation, generation + BUILD_ITEMS):
            if f"item-{number}" not in stored:
                store.add(f"item-{number}", f"{generation}", vector(f"item-{number}"))
            if not number % 20:
                store.flush()
                tell()


def built(directory: Path) -> tuple[int, str] | None:
    """Generation and fingerprint of what is there, all of it, or None."""
    try:
        with KnowledgeBase.open(directory) as kb:
            assert kb.description.items == BUILD_ITEMS
            return int(kb.description.source.split()[1]), kb.description.fingerprint
    except NotFound:
        return None


def kill_builds(directory: Path, moments: int, seed: int) -> None:
    """Kill builds, and resume them; one that was resumed is the same as one that was not stopped."""
    rng = np.random.default_rng(seed)
    generation, finished = 1, 0
    for _ in range(moments):
        before = built(directory)
        killed(lambda tell, now=generation: build(directory, now, tell), int(rng.integers(0, 24)), rng.uniform(0, 0.02))
        after = built(directory)
        assert after == before or (after is not None and after[0] == generation), (before, after, generation)
        if after is not None and after[0] == generation:
            build(directory.with_name("straight"), generation, lambda: None)
            assert built(directory.with_name("straight")) == after
            generation, finished = generation + 1, finished + 1
    build(directory, generation, lambda: None)
    assert built(directory)[0] == generation
    names = {path.name.partition("-")[0] for path in directory.iterdir()}
    assert names == {"current", "lock", "store"}, f"a killed builder's leftovers are not cleared away: {names}"
    print(f"{moments} moments, {finished} builds finished")
    assert finished


if __name__ == "__main__":
    what, place, times, seed = sys.argv[1:]
    {"changes": kill_changes, "builds": kill_builds}[what](Path(place), int(times), int(seed))
