"""A client that harms nobody, in a process of its own: it sends a picture every 100 ms, and tells of each on a line.

    python -m tests.fuzz.innocent HOST:PORT

A line is JSON: `seconds` of the answer and of its `stages`, or the `error` that it met. It ends with its input.
"""

import asyncio
import json
import sys
from dataclasses import dataclass, field
from subprocess import PIPE
from time import monotonic
from typing import Any

import numpy as np

from cli.demo.run import demo_pictures
from client import AsyncSemLink
from shared.errors import SemLinkError

_EVERY_SECONDS = 0.1


@dataclass
class Met:
    """What a client met. seconds: of each answer. stages: seconds of each stage, of each answer."""

    seconds: list[float] = field(default_factory=list)
    stages: list[dict[str, float]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @property
    def p99(self) -> float:
        """Seconds; infinite without an answer."""
        return float(np.quantile(self.seconds, 0.99)) if self.seconds else float("inf")

    def slowest(self) -> dict[str, float]:
        """Mean seconds of each stage over the slowest hundredth of the answers, at least three."""
        order = np.argsort(self.seconds)[::-1][: max(3, len(self.seconds) // 100)]
        chosen = [self.stages[place] for place in order]
        return {name: float(np.mean([each.get(name, 0.0) for each in chosen])) for name in chosen[0]} if chosen else {}


class Innocent:
    """The client as a child process, as an asynchronous context manager. met: since it was last set."""

    def __init__(self, address: str) -> None:
        self._address = address
        self.met = Met()

    async def __aenter__(self) -> "Innocent":
        command = (sys.executable, "-m", __name__, self._address)
        self._process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._reading
        await self._process.wait()

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            told = json.loads(line)
            if "error" in told:
                self.met.errors.append(told["error"])
            else:
                self.met.seconds.append(told["seconds"])
                self.met.stages.append(told["stages"])


async def _send(address: str) -> None:
    picture = demo_pictures(1)[0].encoded()
    over = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    async with AsyncSemLink(address, timeout=30) as client:
        while not over.done():
            print(json.dumps(await _one(client, picture)), flush=True)
            await asyncio.sleep(_EVERY_SECONDS)


async def _one(client: AsyncSemLink, picture: bytes) -> dict[str, Any]:
    start = monotonic()
    try:
        delivery = await client.send(picture)
    except SemLinkError as error:
        return {"error": str(error)}
    stages = {str(entry.stage): entry.seconds for entry in delivery.ledger}
    return {"seconds": monotonic() - start, "stages": stages}


if __name__ == "__main__":
    asyncio.run(_send(sys.argv[1]))
