"""How much one caller, or all together, may ask for at once: calls a second, and bytes of requests at work."""

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import monotonic
from typing import Final

from google.protobuf.message import Message

from shared.errors import Exhausted

allowances: "Final[ContextVar[tuple[Allowance, ...]]]" = ContextVar("allowances", default=())
"""What the call that this task serves is counted against: its token's limits, and those of the service."""


class Allowance:
    """A rate and a number of bytes. A call that exceeds them is refused; messages of a stream wait.

    whose: for the error. rate: calls a second; after a pause as many at once as a second has, at least one.
    most_bytes: of requests at work. None: no limit. For one event loop. peak_bytes: most that were
    held at once, or asked for.
    """

    def __init__(self, whose: str, rate: float | None, most_bytes: int | None) -> None:
        self._whose, self._rate, self._most = whose, rate, most_bytes
        self._at_once = max(1.0, rate or 0.0)
        self._left, self._at = self._at_once, monotonic()
        self._bytes = self.peak_bytes = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def held_bytes(self) -> int:
        """Bytes of requests at work."""
        return self._bytes

    def take(self) -> None:
        """Count a call. Raises Exhausted, with the time to wait, beyond the rate."""
        if (seconds := self._until_next()) > 0:
            raise Exhausted(f"{self._whose} may make {self._rate:g} calls a second: try again in {seconds:.2f} s")
        self._left -= 1

    async def wait(self) -> None:
        """Count a message of a stream, as soon as the rate allows it."""
        while (seconds := self._until_next()) > 0:  # noqa: ASYNC110 - no polling: until then, and others wait too
            await asyncio.sleep(seconds)
        self._left -= 1

    @contextmanager
    def holding(self, size: int) -> Iterator[None]:
        """Hold the bytes of a request while the body works on it. Raises Exhausted where they are too many."""
        self.peak_bytes = max(self.peak_bytes, self._bytes + size)  # also of one that is refused: it was received
        if self._most is not None and self._bytes + size > self._most:
            raise Exhausted(
                f"{self._whose} has {self._bytes} bytes of requests at work, and this one {size}; at most {self._most} "
                "at once: send smaller ones, or fewer at a time"
            )
        self._add(size)
        try:
            yield
        finally:
            self.give_back(size)

    async def hold(self, size: int) -> None:
        """Hold the bytes of a stream's message, once there is room; one alone may have more than the limit."""
        while self._most is not None and self._bytes and self._bytes + size > self._most:
            room: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(room)
            await room
        self._add(size)

    def _add(self, size: int) -> None:
        self._bytes += size
        self.peak_bytes = max(self.peak_bytes, self._bytes)

    def give_back(self, size: int) -> None:
        """The message is answered."""
        self._bytes -= size
        while self._waiting:
            room = self._waiting.popleft()
            if not room.done():
                room.set_result(None)

    def _until_next(self) -> float:
        """Seconds until a further call is allowed; 0 where one is now."""
        if self._rate is None:
            self._left = 2.0
            return 0.0
        now = monotonic()
        self._left = min(self._at_once, self._left + (now - self._at) * self._rate)
        self._at = now
        return max(0.0, (1 - self._left) / self._rate)


class HeldBytes:
    """Counts a stream's messages at work against all that its call is counted against."""

    def __init__(self) -> None:
        self._counted = allowances.get()

    async def hold(self, message: object) -> int:
        """Hold the bytes of a message once there is room; how many."""
        size, held = size_of(message), []
        try:
            for allowance in self._counted:
                await allowance.hold(size)
                held.append(allowance)
        except BaseException:
            for allowance in held:
                allowance.give_back(size)
            raise
        return size

    def give_back(self, size: int) -> None:
        """A message is answered, or given up."""
        for allowance in self._counted:
            allowance.give_back(size)


def size_of(message: object) -> int:
    """Bytes of a message on the wire; 0 for what is none."""
    return message.ByteSize() if isinstance(message, Message) else 0
