"""A next hop that answers many bursts together."""

import asyncio
from collections.abc import Callable, Sequence

from shared.frame.burst import Burst
from shared.frame.reception import Reception
from shared.runtime.batching import settle

AnswerAll = Callable[[Sequence[Burst]], Sequence[Reception | Exception]]


class Together:
    """Gathers what is sent in one turn of the event loop: of pictures that are at work side by side, one round each."""

    def __init__(self, answer_all: AnswerAll) -> None:
        self._answer_all = answer_all
        self._waiting: list[tuple[Burst, asyncio.Future[Reception]]] = []

    async def __call__(self, burst: Burst) -> Reception:
        """The answer to a burst; see `transmitter.harq.NextHop`."""
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._settle)
        self._waiting.append((burst, loop.create_future()))
        return await self._waiting[-1][1]

    def _settle(self) -> None:
        waiting, self._waiting = self._waiting, []
        try:
            outcomes = self._answer_all([burst for burst, _ in waiting])
        except Exception as error:
            outcomes = [error] * len(waiting)
        for (_, future), outcome in zip(waiting, outcomes, strict=True):
            settle(future, outcome)
