"""Deadlines that travel as what is left of them, because clocks of two hosts do not agree."""

from time import monotonic
from typing import Self

from shared.errors import Expired


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
            raise Expired("the deadline passed before the work was done: allow more time, or send less at once")
        return left
