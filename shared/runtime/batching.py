"""Work of many requests done together, in threads off the event loop."""

import asyncio
import math
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from time import perf_counter
from typing import Final, Generic, TypeVar

from shared.errors import Expired
from shared.observe.metrics import BATCH_ITEMS
from shared.runtime.deadline import Deadline

Item = TypeVar("Item")
Result = TypeVar("Result")
_AT_ONCE_SECONDS: Final = 0.005
"""Work that takes less may be done on the event loop: the two hand-overs of a thread take 0.1 to 1 ms."""
_SLOWER: Final = 1.25
"""By so much the time that a kind takes may grow from one item to the next: one late item is a busy machine's."""


@dataclass(eq=False)
class _Waiting(Generic[Item, Result]):
    item: Item
    deadline: Deadline
    answer: asyncio.Future[Result]
    since: float
    queue_seconds: float = 0.0


class Batcher(Generic[Item, Result]):
    """Collects items while the workers are busy and works on them together.

    work: a batch of items to as many results, in order; a result that is an exception is raised to its own submitter
    alone. After an exception of `work` itself each item is tried alone. max_size: largest batch. max_wait_seconds: how
    long a free worker waits for a batch as large as the last one. After a batch of one it does not wait at all, so
    requests that come one by one meet no delay, and requests that come in numbers are kept together. workers: threads;
    each works on a batch of its own. before: called before each batch, in its thread.
    alone, kind: where nothing else is at work, an item is worked on at once, on the event loop, if those of its kind
    take less than 5 ms alone; kind None: never.

    Items whose submitter is gone or whose deadline has passed are dropped before `work` sees them.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Item]], Sequence[Result | Exception]],
        max_size: int,
        max_wait_seconds: float,
        name: str,
        *,
        workers: int = 1,
        before: Callable[[], None] | None = None,
        alone: Callable[[], bool] = lambda: False,
        kind: Callable[[Item], Hashable | None] = lambda _: None,
    ) -> None:
        self._work = work
        self._max_size = max_size
        self._max_wait_seconds = max_wait_seconds
        self._workers, self._name = workers, name
        self._queue: list[_Waiting[Item, Result]] = []
        self._last_size = 1
        self._wanted = 1  # as many queued items wake the worker that collects
        self._enough = asyncio.Event()
        self._collecting = asyncio.Lock()
        self._before, self._alone, self._kind = before, alone, kind
        self._executor = ThreadPoolExecutor(workers, name)
        self._runners: list[asyncio.Task[None]] = []
        self._at_work = 0  # batches in threads
        self._seconds: dict[Hashable, float] = {}  # that items of each kind take alone

    async def submit(self, item: Item, deadline: Deadline) -> tuple[Result, float]:
        """The result of `item` and the seconds that it waited for its batch. Raises Expired past the deadline."""
        if self._may_be_done_at_once(item) and not deadline.expired:
            return self._done_at_once(item), 0.0
        if not self._runners:
            self._runners = [asyncio.create_task(self._run()) for _ in range(self._workers)]
        answer: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        waiting = _Waiting(item, deadline, answer, perf_counter())
        self._queue.append(waiting)
        if len(self._queue) >= self._wanted:
            self._enough.set()
        return await answer, waiting.queue_seconds

    async def stop(self) -> None:
        """End the workers; what waits is cancelled."""
        for runner in self._runners:
            runner.cancel()
        await asyncio.gather(*self._runners, return_exceptions=True)
        for waiting in self._queue:
            waiting.answer.cancel()
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _may_be_done_at_once(self, item: Item) -> bool:
        if self._at_work or self._queue or not self._alone():
            return False
        return self._seconds.get(self._kind(item), math.inf) < _AT_ONCE_SECONDS

    def _done_at_once(self, item: Item) -> Result:
        BATCH_ITEMS.observe(1, self._name)
        (result,) = self._results([item])
        if isinstance(result, Exception):
            raise result
        return result

    async def _run(self) -> None:
        while True:
            async with self._collecting:
                await self._collect()
                batch = self._take()
            if batch:
                await self._answer(batch)

    async def _answer(self, batch: list[_Waiting[Item, Result]]) -> None:
        loop = asyncio.get_running_loop()
        self._at_work += 1
        try:
            results = await loop.run_in_executor(self._executor, self._results, [waiting.item for waiting in batch])
            for waiting, result in list(zip(batch, results, strict=True)):
                settle(waiting.answer, result)
        except Exception as error:  # the submitters get it, the worker goes on
            for waiting in batch:
                settle(waiting.answer, error)
        finally:
            self._at_work -= 1
            for waiting in batch:
                waiting.answer.cancel()  # stopped before the answer came

    def _results(self, items: Sequence[Item]) -> Sequence[Result | Exception]:
        """Work on a batch; one that fails is worked on item by item, so that a bad item costs only its own."""
        if self._before is not None:
            self._before()
        start = perf_counter()
        try:
            results = self._work(items)
        except Exception as error:
            if len(items) == 1:
                return [error]
            return [self._results([item])[0] for item in items]
        if len(items) == 1 and (kind := self._kind(items[0])) is not None:
            taken = perf_counter() - start
            self._seconds[kind] = min(taken, _SLOWER * self._seconds.get(kind, taken))
        return results

    async def _collect(self) -> None:
        """Wait until there is something, then a little for as much as came the last time."""
        await self._queued(1)
        left = self._queue[0].since + self._max_wait_seconds - perf_counter()
        if len(self._queue) < self._last_size and left > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._queued(self._last_size)

    async def _queued(self, wanted: int) -> None:
        self._wanted = wanted
        while len(self._queue) < wanted:
            self._enough.clear()
            await self._enough.wait()

    def _take(self) -> list[_Waiting[Item, Result]]:
        """The next batch, without what nobody waits for any more."""
        batch, self._queue = self._queue[: self._max_size], self._queue[self._max_size :]
        self._last_size = len(batch)
        now, wanted = perf_counter(), []
        for waiting in batch:
            waiting.queue_seconds = now - waiting.since
            if waiting.deadline.expired:
                settle(waiting.answer, Expired("the deadline passed while the request waited: allow more time"))
            elif not waiting.answer.done():
                wanted.append(waiting)
        if wanted:
            BATCH_ITEMS.observe(len(wanted), self._name)
        return wanted


class Lanes(Generic[Item, Result]):
    """Two batchers side by side, so that quick items wait for no slow ones.

    make: a batcher by its name. is_slow: chooses the lane; items that depend on one another are of one lane.
    """

    def __init__(
        self, make: Callable[[str], Batcher[Item, Result]], name: str, is_slow: Callable[[Item], bool]
    ) -> None:
        self._quick, self._slow, self._is_slow = make(name), make(f"slow {name}"), is_slow

    async def submit(self, item: Item, deadline: Deadline) -> tuple[Result, float]:
        """As `Batcher.submit`."""
        return await (self._slow if self._is_slow(item) else self._quick).submit(item, deadline)

    async def stop(self) -> None:
        """As `Batcher.stop`."""
        await self._quick.stop()
        await self._slow.stop()


def settle(answer: asyncio.Future[Result], result: Result | Exception) -> None:
    """Give whoever waits for `answer` a result, or an exception to raise, unless it was given up meanwhile."""
    if answer.done():
        return
    if isinstance(result, Exception):
        answer.set_exception(result)
    else:
        answer.set_result(result)
