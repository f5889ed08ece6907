"""What passes the channel, for whoever records it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Final

from shared.errors import Exhausted
from shared.frame.channel_records import RecordedBurst

TAPE_BYTES: Final = 64 << 20
"""Symbols that may wait for one slow reader."""


class Tape:
    """Bursts in the order in which they passed, for one reader."""

    def __init__(self) -> None:
        self._held: asyncio.Queue[RecordedBurst | None] = asyncio.Queue()  # None: nothing more comes
        self._bytes = 0

    @property
    def _overrun(self) -> bool:
        return self._bytes > TAPE_BYTES

    def put(self, recorded: RecordedBurst) -> None:
        """Add a burst; all is dropped once the reader is too far behind."""
        if self._overrun:
            return
        self._bytes += _bytes(recorded)
        self._held.put_nowait(recorded)
        if self._overrun:
            self.drop()
            self.end()

    def drop(self) -> None:
        """Forget what nobody has read."""
        while not self._held.empty():
            self._held.get_nowait()

    def end(self) -> None:
        """Nothing more comes."""
        self._held.put_nowait(None)

    async def bursts(self) -> AsyncIterator[RecordedBurst]:
        """Bursts until the end. Raises Exhausted when the reader was too slow, rather than to leave a gap."""
        while recorded := await self._held.get():
            self._bytes -= _bytes(recorded)
            yield recorded
        if self._overrun:
            raise Exhausted(f"the recording fell more than {TAPE_BYTES >> 20} MiB behind: record to a faster disk")


class Recorder:
    """Hands each burst to all tapes that run."""

    def __init__(self) -> None:
        self._tapes: set[Tape] = set()

    @property
    def running(self) -> bool:
        """Whether anybody records."""
        return bool(self._tapes)

    @contextmanager
    def tape(self) -> Iterator[Tape]:
        """Record while the body runs."""
        tape = Tape()
        self._tapes.add(tape)
        try:
            yield tape
        finally:
            self._tapes.discard(tape)
            tape.drop()  # what is left of the call may be long in the collector's way

    def put(self, recorded: RecordedBurst) -> None:
        """Record a burst."""
        for tape in self._tapes:
            tape.put(recorded)

    def drain(self) -> None:
        """End all tapes; each still gives what it holds."""
        for tape in self._tapes:
            tape.end()


def _bytes(recorded: RecordedBurst) -> int:
    return recorded.burst.symbols.nbytes + (0 if recorded.sent is None else recorded.sent.nbytes)
