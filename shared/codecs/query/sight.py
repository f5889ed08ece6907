"""What the encoder of `uo-isc` sees pictures and questions with: a frozen image tower and a reader.

pictures [B, 3, 64, 64] --> hidden states [B, F, 16, 16] and [B, C, 8, 8]; questions, words [B, 9] --> [B, D]
"""

from typing import Final, Protocol

from torch import Tensor

from shared.codecs.answerers import Answerer
from shared.codecs.answerers.network import Features

JUDGE: Final = "judge"


class Sight(Protocol):
    """A tower and a reader. name: of both."""

    name: str

    @property
    def channels(self) -> tuple[int, int, int]:
        """Of the finer and the coarser hidden states, and of a question."""

    @property
    def parts(self) -> tuple[str, ...]:
        """What a fingerprint of all that is seen adds to the judge's."""

    def see(self, pictures: Tensor, words: Tensor) -> Features:
        """pictures: [B, 3, 64, 64] in [0, 1]. words: [B, 9]."""


class JudgeSight:
    """The judge's own tower and reader, which have looked already where its relevance is known."""

    name: str = JUDGE
    parts: tuple[str, ...] = ()

    def __init__(self, judge: Answerer) -> None:
        self._network = judge.network
        width = judge.network.naming.in_channels
        self.channels = (width // 2, width, width)

    def see(self, pictures: Tensor, words: Tensor) -> Features:
        """See `Sight`."""
        return Features(*self._network.maps(pictures), self._network.read(words))
