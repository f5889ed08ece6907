"""Many requests on one stream, answered as each is done."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from typing import TypeVar

Request = TypeVar("Request")
Answer = TypeVar("Answer")


async def map_unordered(
    requests: AsyncIterable[Request], answer: Callable[[Request], Awaitable[Answer]], limit: int
) -> AsyncIterator[Answer]:
    """Answers in the order in which they are done, never more than `limit` requests at work.

    At the limit no further request is read, so that HTTP/2 flow control holds the sender back. An exception of
    `answer` ends the stream: per-request failures are answers. Closing the iterator cancels what is at work.
    """
    done: asyncio.Queue[asyncio.Task[Answer] | None] = asyncio.Queue()
    places = asyncio.Semaphore(limit)
    at_work: set[asyncio.Task[Answer]] = set()

    async def read() -> None:
        try:
            async for request in requests:
                await places.acquire()
                task = asyncio.ensure_future(_run(answer, request))
                at_work.add(task)
                task.add_done_callback(done.put_nowait)
        finally:
            done.put_nowait(None)

    reader = asyncio.create_task(read())
    reading = True
    try:
        while reading or at_work:
            task = await done.get()
            if task is None:
                reading = False
                await reader  # raises what reading raised
                continue
            at_work.discard(task)
            yield task.result()
            places.release()  # after the answer is written: a slow reader of answers holds the sender back too
    finally:
        reader.cancel()
        for task in at_work:
            task.cancel()


async def _run(answer: Callable[[Request], Awaitable[Answer]], request: Request) -> Answer:
    return await answer(request)
