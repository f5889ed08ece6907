"""What the receiver holds of pictures: by question, a question sent again, age, and how many sessions."""

from dataclasses import replace

import pytest

from receiver.held_pictures import HeldPictures
from shared.errors import Mismatch
from shared.frame.burst import Burst, CodecSpec
from tests.tools.rpc import make_burst, payload


class Clock:
    """Seconds, set by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def burst(session: int, turn: int) -> Burst:
    return replace(make_burst(1, symbols=payload(4), codec=CodecSpec("uo-isc", 8, "", ""), session=session), round=turn)


def test_a_question_that_is_sent_again_begins_where_it_did() -> None:
    held = HeldPictures(4, 60)
    assert held.before(burst(5, 0)) is None
    held.keep(burst(5, 0), "first")
    assert held.before(burst(5, 1)) == "first"
    held.keep(burst(5, 1), "second")
    assert held.before(burst(5, 1)) == "first"
    assert held.before(burst(5, 2)) == "second"


def test_a_burst_alone_is_not_kept() -> None:
    held = HeldPictures(4, 60)
    held.keep(burst(0, 0), "alone")
    assert held.before(burst(0, 1)) is None


def test_what_is_old_or_too_many_is_dropped_and_said() -> None:
    clock = Clock()
    held = HeldPictures(2, 60, clock)
    for session in (1, 2, 3):
        held.keep(burst(session, 0), session)
    with pytest.raises(
        Mismatch, match=r"session 1 of codec uo-isc holds no picture here after 1 questions; .* 60 s, 2"
    ):
        held.before(burst(1, 1))
    assert held.before(burst(3, 1)) == 3
    clock.now = 61.0
    with pytest.raises(Mismatch):
        held.before(burst(3, 1))
