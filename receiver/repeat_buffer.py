"""Repeats of a block that was lost, combined before it is decoded once more (HARQ with Chase combining).

burst --x_hat, n0_eff--> combined with the earlier transmissions of its block --> codec --lost--> kept for the next one
"""

from collections.abc import Callable
from time import monotonic

from receiver.harq_buffer import Part
from receiver.sessions import Sessions
from shared.errors import Mismatch
from shared.frame.burst import ATTEMPTS, Burst
from shared.phy.receive.combining import combine


class RepeatBuffer:
    """Blocks that were lost, by session, round and transmission; so a duplicate replaces itself.

    Arguments: those of `Sessions`.
    """

    def __init__(self, most: int, seconds: float, clock: Callable[[], float] = monotonic) -> None:
        self._sessions: Sessions[Part] = Sessions(most, seconds, clock)

    def join(self, burst: Burst, part: Part) -> Part:
        """The part of a burst, combined with what is kept of its block. Raises Mismatch for another length."""
        if not burst.session:
            return part
        first, own = burst.round * ATTEMPTS, _number(burst)
        kept = self._sessions.parts(burst)
        others = [kept[n] for n in range(first, first + ATTEMPTS) if n != own and n in kept]
        if not others:
            return part
        if any(other.x_hat.size != part.x_hat.size for other in others):
            raise Mismatch(
                f"session {burst.session}: a block of {part.x_hat.size} symbols repeats one of {others[0].x_hat.size}; "
                "send the same block again"
            )
        return Part(*combine(*zip(*others, part, strict=True)))

    def keep(self, burst: Burst, part: Part) -> None:
        """Keep the part of a burst whose block was lost; nothing of a burst alone."""
        if burst.session:
            self._sessions.keep(burst, _number(burst), part)


def _number(burst: Burst) -> int:
    return burst.round * ATTEMPTS + burst.attempt
