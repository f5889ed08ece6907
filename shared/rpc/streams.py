"""Many requests on one stream, answered as each is done.

messages --each request of them, at most `limit` at work--> answer --those that are done--> one message
"""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Coroutine, Sequence
from typing import Any, TypeVar

Request = TypeVar("Request")
Answer = TypeVar("Answer")


class StreamAnswerer:
    """Answers the bidirectional streams of one server, and can drain them all.

    limit: most requests of one stream at work.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._readers: set[asyncio.Task[None]] = set()

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

        messages: requests that came together. At the limit no further one is taken up, so that HTTP/2 flow control
        holds the sender back. An exception of `answer` ends the stream: per-request failures are answers. Closing the
        iterator cancels what is at work.
        """
        done: list[asyncio.Task[Answer]] = []
        some = asyncio.Event()
        places = asyncio.Semaphore(self.limit)
        at_work: set[asyncio.Task[Answer]] = set()

        def finished(task: asyncio.Task[Answer]) -> None:
            done.append(task)
            some.set()

        async def read() -> None:
            async for message in messages:
                for request in message:
                    await places.acquire()
                    task = asyncio.create_task(answer(request))
                    at_work.add(task)
                    task.add_done_callback(finished)

        reader = asyncio.create_task(read())
        reader.add_done_callback(lambda _: some.set())
        self._readers.add(reader)
        try:
            while at_work or not reader.done():
                if not done:
                    some.clear()
                    await some.wait()
                    continue
                together, done[:] = done[:most], done[most:]
                at_work.difference_update(together)
                yield [task.result() for task in together]
                for _ in together:  # only now: a slow reader of answers holds the sender back too
                    places.release()
            if not reader.cancelled():
                reader.result()  # raises what reading raised
        finally:
            self._readers.discard(reader)
            reader.cancel()
            for task in at_work:
                task.cancel()


async def _alone(requests: AsyncIterable[Request]) -> AsyncIterator[tuple[Request]]:
    async for request in requests:
        yield (request,)
