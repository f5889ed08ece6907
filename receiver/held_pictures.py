"""What the receiver holds of pictures that several questions are asked about, after each question.

burst of question n --what is held after question n - 1--> codec --> what is held after question n
"""

from collections.abc import Callable
from time import monotonic
from typing import Any

from receiver.sessions import Sessions
from shared.errors import Mismatch
from shared.frame.burst import Burst


class HeldPictures:
    """Kept by question, so that a question that is sent once more replaces itself. Arguments: those of `Sessions`."""

    def __init__(self, most: int, seconds: float, clock: Callable[[], float] = monotonic) -> None:
        self._sessions: Sessions[Any] = Sessions(most, seconds, clock)

    def before(self, burst: Burst) -> Any:
        """What the codec held after the question before a burst's; None for a first one, and for a burst alone.

        Raises Mismatch when that is not here.
        """
        if not burst.session or not burst.round:
            return None
        held = self._sessions.parts(burst).get(burst.round - 1)
        if held is None:
            raise Mismatch(
                f"session {burst.session} of codec {burst.codec.codec} holds no picture here after {burst.round} "
                f"questions; {self._sessions.how_long()}: ask without a session, which sends the picture anew"
            )
        return held

    def keep(self, burst: Burst, held: Any) -> None:
        """Keep what the codec holds after a burst; nothing of a burst alone."""
        if burst.session:
            self._sessions.keep(burst, burst.round, held)
