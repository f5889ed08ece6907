"""Work done together: what is waited for, what is not, and who gets which answer."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from time import perf_counter, sleep

import pytest

from shared.errors import Expired, InvalidInput
from shared.runtime.batching import Batcher, Lanes
from shared.runtime.deadline import Deadline
from tests.tools.rpc import until

NEVER = Deadline.after(None)


class Worker:
    """Doubles numbers; remembers the batches; works only while `open`."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.open = threading.Event()
        self.open.set()

    def __call__(self, items: Sequence[int]) -> list[int | Exception]:
        self.batches.append(list(items))
        self.open.wait(30)
        return [InvalidInput(f"{item} is unlucky") if item == 13 else 2 * item for item in items]


@pytest.fixture
def worker() -> Worker:
    return Worker()


@pytest.fixture
async def make(worker: Worker):
    made: list[Batcher[int, int]] = []

    def make(max_size: int = 4, wait: float = 0.0, work: Callable[..., list[int]] | None = None) -> Batcher[int, int]:
        made.append(Batcher(work or worker, max_size, wait, "test"))
        return made[-1]

    yield make
    worker.open.set()
    for batcher in made:
        await batcher.stop()


async def _submitted(batcher: Batcher[int, int], items: Sequence[int], deadline: Deadline = NEVER):
    tasks = [asyncio.create_task(batcher.submit(item, deadline)) for item in items]
    await asyncio.sleep(0)
    return tasks


async def test_quick_items_wait_for_no_slow_ones(worker) -> None:
    slow_worker = Worker()
    slow_worker.open.clear()
    lanes = Lanes(
        lambda name: Batcher(slow_worker if name == "slow test" else worker, 4, 0.0, name),
        "test",
        lambda item: item > 5,
    )
    waiting = asyncio.create_task(lanes.submit(6, NEVER))
    await until(lambda: slow_worker.batches == [[6]])
    assert (await lanes.submit(1, NEVER))[0] == 2
    slow_worker.open.set()
    assert (await waiting)[0] == 12
    await lanes.stop()


async def test_each_gets_its_own_answer_in_batches_of_the_largest_size(make, worker) -> None:
    results = await asyncio.gather(*await _submitted(make(max_size=4), range(20, 30)))
    assert [result for result, _ in results] == [2 * item for item in range(20, 30)]
    assert worker.batches == [[20, 21, 22, 23], [24, 25, 26, 27], [28, 29]]


async def _batch_of(batcher: Batcher[int, int], worker: Worker, size: int) -> None:
    """Let the batcher's last batch be of `size` items."""
    await asyncio.gather(*await _submitted(batcher, range(size)))
    assert len(worker.batches[-1]) == size


async def test_items_that_come_one_by_one_do_not_wait(make) -> None:
    batcher, start = make(max_size=32, wait=20.0), perf_counter()
    for item in (1, 2, 3):
        assert (await batcher.submit(item, NEVER))[0] == 2 * item
    assert perf_counter() - start < 10


async def test_after_a_batch_a_free_worker_waits_for_as_many(make, worker) -> None:
    batcher = make(max_size=32, wait=20.0)
    await _batch_of(batcher, worker, 2)
    (first,) = await _submitted(batcher, [5])
    await asyncio.sleep(0.05)
    assert len(worker.batches) == 1
    assert await asyncio.wait_for(batcher.submit(6, NEVER), 10)
    assert (await first)[0] == 10
    assert worker.batches[-1] == [5, 6]


async def test_as_many_are_waited_for_no_longer_than_agreed(make, worker) -> None:
    batcher = make(max_size=32, wait=0.05)
    await _batch_of(batcher, worker, 4)
    assert (await asyncio.wait_for(batcher.submit(7, NEVER), 10))[0] == 14
    assert worker.batches[-1] == [7]


async def test_workers_work_side_by_side(worker) -> None:
    batcher: Batcher[int, int] = Batcher(worker, 1, 0.0, "test", workers=2)
    worker.open.clear()
    tasks = await _submitted(batcher, [1, 2, 3])
    await until(lambda: len(worker.batches) == 2)
    worker.open.set()
    assert [result for result, _ in await asyncio.gather(*tasks)] == [2, 4, 6]
    await batcher.stop()


async def test_what_comes_before_a_batch_is_done_in_its_thread(worker) -> None:
    names: list[str] = []
    batcher: Batcher[int, int] = Batcher(
        worker, 4, 0.0, "named", before=lambda: names.append(threading.current_thread().name)
    )
    await batcher.submit(1, NEVER)
    await batcher.stop()
    assert len(names) == 1
    assert names[0].startswith("named")


async def test_items_gather_while_the_worker_is_busy(make, worker) -> None:
    batcher = make(max_size=32)
    worker.open.clear()
    (first,) = await _submitted(batcher, [0])
    await until(lambda: bool(worker.batches))
    rest = await _submitted(batcher, range(1, 6))
    await asyncio.sleep(0.05)
    worker.open.set()
    _, queued = (await asyncio.gather(first, *rest))[-1]
    assert worker.batches == [[0], [1, 2, 3, 4, 5]]
    assert queued >= 0.04


async def test_an_error_of_one_item_is_its_own(make) -> None:
    good, bad, other = await asyncio.gather(*await _submitted(make(), [1, 13, 2]), return_exceptions=True)
    assert good[0] == 2
    assert other[0] == 4
    assert isinstance(bad, InvalidInput)
    assert "13" in str(bad)


async def test_a_batch_that_fails_costs_the_item_that_is_at_fault_alone(make) -> None:
    def work(items: Sequence[int]) -> list[int]:
        if 0 in items:
            raise MemoryError("zero in the batch")
        return [2 * item for item in items]

    batcher = make(work=work)
    for _ in range(2):  # the worker goes on
        one, other, bad = await asyncio.gather(*await _submitted(batcher, [1, 2, 0]), return_exceptions=True)
        assert (one[0], other[0]) == (2, 4)
        assert isinstance(bad, MemoryError)


async def test_a_worker_that_answers_too_few_fails_its_batch_and_goes_on(make) -> None:
    batcher = make(work=lambda items: [item for item in items if item])
    tasks = await _submitted(batcher, [0, 1])
    results = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 10)
    assert all(isinstance(result, Exception) for result in results)
    assert (await asyncio.wait_for(batcher.submit(5, NEVER), 10))[0] == 5


async def test_what_is_cancelled_or_expired_never_reaches_the_worker(make, worker) -> None:
    batcher = make(max_size=32)
    worker.open.clear()
    (busy,) = await _submitted(batcher, [0])
    await until(lambda: bool(worker.batches))
    cancelled, wanted = await _submitted(batcher, [1, 2])
    (late,) = await _submitted(batcher, [3], Deadline.after(0.01))
    cancelled.cancel()
    await asyncio.sleep(0.05)
    worker.open.set()
    assert (await wanted)[0] == 4
    with pytest.raises(Expired, match="deadline"):
        await late
    assert worker.batches == [[0], [2]]
    assert busy.done()


async def test_stopping_cancels_what_waits_and_what_is_at_work(make, worker) -> None:
    batcher = make(max_size=1)
    worker.open.clear()
    tasks = await _submitted(batcher, [1, 2, 3])
    await until(lambda: bool(worker.batches))
    await batcher.stop()
    results = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 10)
    assert all(isinstance(result, asyncio.CancelledError) for result in results)


async def test_a_slow_worker_does_not_hold_the_loop(make) -> None:
    def slow(items: Sequence[int]) -> list[int]:
        sleep(0.2)
        return list(items)

    (task,) = await _submitted(make(work=slow), [1])
    turns = 0
    while not task.done():
        await asyncio.sleep(0.001)
        turns += 1
    assert turns > 5


@pytest.mark.parametrize(
    ("costs", "at_once"),
    [([0.001] * 3, [False, True, True]), ([0.001, 1.0, 0.001, 0.001], [False, True, True, True])],
    ids=["quick", "one of them late"],
)
async def test_what_is_quick_is_done_on_the_loop_also_after_a_late_one(
    monkeypatch: pytest.MonkeyPatch, costs: list[float], at_once: list[bool]
) -> None:
    assert await _on_the_loop(monkeypatch, costs) == at_once


async def test_what_has_become_slow_goes_to_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (await _on_the_loop(monkeypatch, [0.001] + 20 * [1.0]))[-1] is False


async def _on_the_loop(monkeypatch: pytest.MonkeyPatch, costs: Sequence[float]) -> list[bool]:
    """Whether each item was done on the loop, by a clock on which they cost so many seconds."""
    now, where, left = [0.0], [], list(costs)

    def work(items: Sequence[int]) -> Sequence[int]:
        now[0] += left.pop(0)
        where.append(threading.current_thread() is threading.main_thread())
        return items

    monkeypatch.setattr("shared.runtime.batching.perf_counter", lambda: now[0])
    batcher: Batcher[int, int] = Batcher(work, 1, 0.0, "test", alone=lambda: True, kind=lambda _: "one")
    for item in range(len(costs)):
        await batcher.submit(item, NEVER)
    await batcher.stop()
    return where
