"""What is slow at first: once for all who wait, again after an error, and never on the event loop."""

import asyncio
import threading

import pytest

from shared.errors import NotFound
from shared.runtime.warming import Warming


async def test_it_is_done_once_and_all_wait_for_it() -> None:
    done, gate, warming = [], threading.Event(), Warming()

    def slowly() -> None:
        gate.wait(30)
        done.append(threading.current_thread())

    waiting = [asyncio.create_task(warming.ready("a", slowly)) for _ in range(5)]
    await asyncio.sleep(0.05)  # the loop is free meanwhile
    assert not any(task.done() for task in waiting)
    waiting[0].cancel()
    gate.set()
    await asyncio.gather(*waiting[1:])
    await warming.ready("a", slowly)
    assert len(done) == 1
    assert done[0] is not threading.main_thread()


async def test_names_do_not_wait_for_each_other() -> None:
    gate, warming = threading.Event(), Warming()
    slow = asyncio.create_task(warming.ready("slow", lambda: gate.wait(30)))
    await warming.ready("quick", lambda: None)
    assert not slow.done()
    gate.set()
    await slow


async def test_after_an_error_the_next_one_tries_again() -> None:
    tried, warming = [], Warming()

    def fails_first() -> None:
        tried.append(1)
        if len(tried) == 1:
            raise NotFound("no weights")

    with pytest.raises(NotFound, match="no weights"):
        await warming.ready("a", fails_first)
    await warming.ready("a", fails_first)
    await warming.ready("a", fails_first)
    assert len(tried) == 2
