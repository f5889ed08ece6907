"""Many requests on one stream, answered as each is done.

messages --each request of them, at most `limit` at work--> answer --those that are done--> one message
"""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Coroutine, Sequence
from typing import Any, Generic, TypeVar

from shared.security.allowance import HeldBytes

Request = TypeVar("Request")
Answer = TypeVar("Answer")


class StreamAnswerer:
    """Answers the bidirectional streams of one server, and can drain them all.

    limit: most requests of one stream at work.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._works: set[_Work[Any, Any]] = set()
        self._readers: set[asyncio.Task[None]] = set()

    @property
    def at_work(self) -> int:
        """Requests of all streams that were read and are not answered; of a message that was read, all of them."""
        return sum(work.unfinished for work in self._works)

    def drain(self) -> None:
        """Read no further request; each stream ends once what it has at work is answered."""
        for reader in self._readers:
            reader.cancel()

    async def map_unordered(
        self, requests: AsyncIterable[Request], answer: Callable[[Request], Coroutine[Any, Any, Answer]]
    ) -> AsyncIterator[Answer]:
        """Answers in the order in which they are done; see `map_together`."""
        async for answers in self.map_together(_alone(requests), answer, most=1):
            yield answers[0]

    async def map_together(
        self,
        messages: AsyncIterable[Sequence[Request]],
        answer: Callable[[Request], Coroutine[Any, Any, Answer]],
        most: int,
    ) -> AsyncIterator[list[Answer]]:
        """Answers that are done when the caller comes for more, at most `most` of them, in the order of their ends.

        messages: requests that came together. At the limit, and at those on bytes, no further one is taken up, so that
        HTTP/2 flow control holds the sender back. An exception of `answer` ends the stream: per-request failures are
        answers. Closing the iterator cancels what is at work.
        """
        work = _Work(self.limit, answer)
        reader = asyncio.create_task(work.take(messages))
        reader.add_done_callback(lambda _: work.some.set())
        self._readers.add(reader)
        self._works.add(work)
        try:
            while work.unfinished or not reader.done():
                if not work.done:
                    work.some.clear()
                    await work.some.wait()
                    continue
                together = work.ended(most)
                yield [task.result() for task in together]
                work.release(together)  # only now: a slow reader of answers holds the sender back too
            if not reader.cancelled():
                reader.result()  # raises what reading raised
        finally:
            self._readers.discard(reader)
            self._works.discard(work)
            reader.cancel()
            work.cancel()


class _Work(Generic[Request, Answer]):
    """The requests of one stream at work. done: those that ended. some: set when there is something in `done`."""

    def __init__(self, limit: int, answer: Callable[[Request], Coroutine[Any, Any, Answer]]) -> None:
        self._places, self._answer = asyncio.Semaphore(limit), answer
        self._sizes: dict[asyncio.Task[Answer], int] = {}  # bytes of each request that holds a place
        self._held = HeldBytes()
        self.unfinished = 0
        self.done: list[asyncio.Task[Answer]] = []
        self.some = asyncio.Event()

    async def take(self, messages: AsyncIterable[Sequence[Request]]) -> None:
        """Begin to answer requests as they come, as far as there is a place."""
        async for message in messages:
            for request in message:
                await self._places.acquire()
                size = await self._held.hold(request)
                task = asyncio.create_task(self._answer(request))
                self._sizes[task] = size
                self.unfinished += 1
                task.add_done_callback(self._finished)

    def ended(self, most: int) -> list[asyncio.Task[Answer]]:
        """The first of those that ended, which are handed on now."""
        together, self.done = self.done[:most], self.done[most:]
        self.unfinished -= len(together)
        return together

    def release(self, together: Sequence[asyncio.Task[Answer]]) -> None:
        """Give places and bytes back."""
        for task in together:
            self._held.give_back(self._sizes.pop(task))
            self._places.release()

    def cancel(self) -> None:
        """Give up what is at work, and its bytes."""
        for task, size in self._sizes.items():
            task.cancel()
            self._held.give_back(size)

    def _finished(self, task: asyncio.Task[Answer]) -> None:
        self.done.append(task)
        self.some.set()


async def _alone(requests: AsyncIterable[Request]) -> AsyncIterator[tuple[Request]]:
    async for request in requests:
        yield (request,)
