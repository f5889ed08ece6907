"""Many requests on one stream, answered as each is done."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Coroutine
from typing import Any, TypeVar

from shared.security.allowance import HeldBytes

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
        """Answers in the order in which they are done.

        At the limit, and at those on bytes, no further request is read, so that HTTP/2 flow control holds the sender
        back. An exception of `answer` ends the stream: per-request failures are answers. Closing the iterator cancels
        what is at work.
        """
        done: asyncio.Queue[asyncio.Task[Answer] | None] = asyncio.Queue()
        places = asyncio.Semaphore(self.limit)
        at_work: dict[asyncio.Task[Answer], int] = {}  # and the bytes of each request

        held = HeldBytes()

        async def read() -> None:
            async for request in requests:
                await places.acquire()
                size = await held.hold(request)
                task = asyncio.create_task(answer(request))
                at_work[task] = size
                task.add_done_callback(done.put_nowait)

        reader = asyncio.create_task(read())
        reader.add_done_callback(lambda _: done.put_nowait(None))
        self._readers.add(reader)
        try:
            while at_work or not reader.done() or not done.empty():
                task = await done.get()
                if task is not None:  # None: the reader has ended
                    yield task.result()
                    held.give_back(at_work.pop(task))
                    places.release()  # only now: a slow reader of answers holds the sender back too
            if not reader.cancelled():
                reader.result()  # raises what reading raised
        finally:
            self._readers.discard(reader)
            reader.cancel()
            for task, size in at_work.items():
                task.cancel()
                held.give_back(size)
