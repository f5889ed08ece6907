"""Deadlines that travel as what is left of them, because clocks of two hosts do not agree."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic
from typing import Final, Self

from shared.errors import Expired

_PASSED: Final = "the deadline passed before the work was done: allow more time, or send less at once"


class Deadline:
    """A moment on this host's monotonic clock, or none."""

    def __init__(self, expires_at: float | None) -> None:
        self._expires_at = expires_at

    @classmethod
    def after(cls, seconds: float | None) -> Self:
        """The deadline `seconds` from now; None or 0 is no deadline."""
        return cls(monotonic() + seconds if seconds else None)

    @property
    def expired(self) -> bool:
        """Whether nothing is left."""
        return self._expires_at is not None and monotonic() >= self._expires_at

    def remaining(self) -> float:
        """Seconds left, as a burst's header has it: 0 without a deadline. Raises Expired when nothing is left."""
        if self._expires_at is None:
            return 0.0
        left = self._expires_at - monotonic()
        if left <= 0:
            raise Expired(_PASSED)
        return left

    @asynccontextmanager
    async def enforced(self) -> AsyncIterator[None]:
        """Cancel the body when nothing is left, whatever it waits for. Raises Expired."""
        try:
            async with asyncio.timeout(self.remaining() or None):
                yield
        except TimeoutError as error:
            raise Expired(_PASSED) from error
