"""Work of many requests done together, in one thread off the event loop."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Generic, TypeVar

from shared.deadline import Deadline
from shared.errors import Expired

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(eq=False)
class _Waiting(Generic[Item, Result]):
    item: Item
    deadline: Deadline
    answer: asyncio.Future[Result]
    since: float
    queue_seconds: float = 0.0


class Batcher(Generic[Item, Result]):
    """Collects items while the worker is busy and works on them together.

    work: a batch of items to as many results, in order; a result that is an exception is raised to its own submitter
    alone. max_size: largest batch. max_wait_seconds: how long an idle worker waits for items that were announced but
    not yet submitted; with nothing announced it never waits, so a lone request meets no delay.

    Items whose submitter is gone or whose deadline has passed are dropped before `work` sees them.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Item]], Sequence[Result | Exception]],
        max_size: int,
        max_wait_seconds: float,
        name: str,
    ) -> None:
        self._work = work
        self._max_size = max_size
        self._max_wait_seconds = max_wait_seconds
        self._announced = 0
        self._queue: list[_Waiting[Item, Result]] = []
        self._changed = asyncio.Event()
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._runner: asyncio.Task[None] | None = None

    @contextmanager
    def announce(self) -> Iterator[None]:
        """Tell that an item will be submitted within the body."""
        self._announced += 1
        try:
            yield
        finally:
            self._announced -= 1
            self._changed.set()

    async def submit(self, item: Item, deadline: Deadline) -> tuple[Result, float]:
        """The result of `item` and the seconds that it waited for its batch. Raises Expired past the deadline."""
        if self._runner is None:
            self._runner = asyncio.create_task(self._run())
        answer: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        waiting = _Waiting(item, deadline, answer, perf_counter())
        self._queue.append(waiting)
        self._changed.set()
        return await answer, waiting.queue_seconds

    async def stop(self) -> None:
        """End the worker; what waits is cancelled."""
        if self._runner is not None:
            self._runner.cancel()
            await asyncio.gather(self._runner, return_exceptions=True)
        for waiting in self._queue:
            waiting.answer.cancel()
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._collect()
            batch = self._take()
            if not batch:
                continue
            try:
                results = await loop.run_in_executor(self._executor, self._work, [w.item for w in batch])
                for waiting, result in list(zip(batch, results, strict=True)):
                    _settle(waiting, result)
            except Exception as error:  # the submitters get it, the worker goes on
                for waiting in batch:
                    _settle(waiting, error)
            finally:
                for waiting in batch:
                    waiting.answer.cancel()  # stopped before the answer came

    async def _collect(self) -> None:
        """Wait until there is something, then for more while more is announced and time is left."""
        while not self._queue:
            self._changed.clear()
            await self._changed.wait()
        leave_at = self._queue[0].since + self._max_wait_seconds
        while len(self._queue) < min(self._max_size, self._expected()) and (left := leave_at - perf_counter()) > 0:
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), left)
            except TimeoutError:
                return

    def _expected(self) -> int:
        """Items that are queued or announced. An item inside `announce` is counted once."""
        return max(self._announced, len(self._queue))

    def _take(self) -> list[_Waiting[Item, Result]]:
        """The next batch, without what nobody waits for any more."""
        batch, self._queue = self._queue[: self._max_size], self._queue[self._max_size :]
        now, wanted = perf_counter(), []
        for waiting in batch:
            waiting.queue_seconds = now - waiting.since
            if waiting.deadline.expired:
                _settle(waiting, Expired("the deadline passed while the request waited: allow more time"))
            elif not waiting.answer.done():
                wanted.append(waiting)
        return wanted


def _settle(waiting: _Waiting[Item, Result], result: Result | Exception) -> None:
    if waiting.answer.done():
        return
    if isinstance(result, Exception):
        waiting.answer.set_exception(result)
    else:
        waiting.answer.set_result(result)
