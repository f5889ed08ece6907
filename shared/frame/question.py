"""A question about a picture on its way: asked by the client, answered by the receiver."""

from dataclasses import dataclass, fields
from typing import Any, Final

from shared.strict_json import strict_json

ASKED_BITS: Final = 384
"""Bits of a picture that is sent for a question, if the request names none."""

QUESTIONS: Final = 8
"""Most questions of one session: a header has 3 bits for which one it is."""

RETRANSMISSIONS: Final = 7
"""Most that a client may ask for; the 4 bits of a header's sequence tell as many transmissions apart."""


QUESTION_LOST: Final = "the question was lost on the air"


@dataclass(frozen=True, slots=True)
class Question:
    """What a client asks of a picture.

    bits: wanted of the picture; 0 for `ASKED_BITS`. follow: the session of an earlier question about the same picture,
    `Asked.session`, of which the receiver holds what arrived; empty for a first question. retransmissions: at most so
    many, while the block is lost (HARQ with Chase combining). at_receiver: whether the receiver knows the question;
    else it is sent over the air; None for the transmitter's default.
    """

    text: str
    bits: int = 0
    follow: str = ""
    retransmissions: int = 0
    at_receiver: bool | None = None


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What the receiver rebuilt, and answered on it.

    picture: a PNG file. answer: in words, empty if nothing arrived or the receiver does not know the question.
    probability: of the answer, by the receiver's answerer. arrived: whether all that this burst carried of the picture
    is there. question_lost: whether the question was sent over the air and did not arrive
    """

    picture: bytes
    answer: str = ""
    probability: float = 0.0
    arrived: bool = True
    question_lost: bool = False

    @property
    def complete(self) -> bool:
        """Whether nothing was lost."""
        return self.arrived and not self.question_lost


@dataclass(frozen=True, slots=True)
class Asked:
    """The outcome of a question.

    answer_on_original: the transmitter's own. match: whether both are the same, by the authors' rule. bits: of the
    picture, positions included. symbols: complex channel uses of the payload, of all transmissions. picture: PNG file
    of the rebuilt picture
    psnr_db: over the picture as it was encoded, 64 x 64; psnr_db_region: over the blocks that the question needs
    sent_cells: of 8 x 8 cells of the picture, row by row, those that the transmitter spent the bits on; all for a codec
    that knows no question, empty from a transmitter before it was told
    session: what a further question follows; empty from a codec that has none. turn: which question of it, from 1.
    bits_in_session: of all its questions so far. transmissions: of the block, 1 where none was repeated
    question_bits: of the question, CRC included, where it was sent over the air; question_lost: whether it was lost
    """

    question: str
    answer: str
    answer_on_original: str
    match: bool
    probability: float
    bits: int
    symbols: int
    psnr_db: float
    psnr_db_region: float
    picture: bytes
    sent_cells: tuple[bool, ...] = ()
    session: str = ""
    turn: int = 1
    bits_in_session: int = 0
    transmissions: int = 1
    question_bits: int = 0
    question_lost: bool = False

    @property
    def all_bits(self) -> int:
        """Of picture and question."""
        return self.bits + self.question_bits

    @property
    def bits_in_words(self) -> str:
        """As "384 bits", or "384 bits and 66 of the question"."""
        return f"{self.bits} bits" + (f" and {self.question_bits} of the question" if self.question_bits else "")

    @property
    def channel_uses(self) -> str:
        """In words: "192 symbols", or "384 symbols of 2 transmissions"."""
        return f"{self.symbols} symbols" + (f" of {self.transmissions} transmissions" if self.transmissions > 1 else "")

    def to_json(self) -> dict[str, Any]:
        """A strict JSON object, without the picture."""
        values = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "picture"}
        document: dict[str, Any] = strict_json(values)
        return document
