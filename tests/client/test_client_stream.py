"""Many pictures: answers tied to their pictures, back-pressure, errors in between."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from threading import active_count
from time import sleep

import pytest

from client import Answer, Delivery, SemLink
from shared.errors import InvalidInput, InvalidPicture, InvalidSetting, NotFound, Unavailable
from tests.fakes.transmitter import FakeTransmitter


def outcome_labels(answers: list) -> list[str]:
    return [answer.outcome.label for answer in answers]


def until_error(answers: Iterator[Answer]) -> tuple[list[Answer], Exception]:
    """The answers before the error that ends the stream, and the error."""
    found = []
    try:
        for answer in answers:
            found.append(answer)  # noqa: PERF402 - what came before the error counts
    except Exception as error:
        return found, error
    raise AssertionError("the stream ended without an error")


def test_answers_are_tied_to_their_pictures(link: SemLink, fake: FakeTransmitter) -> None:
    fake.reverse = 5
    answers = list(link.send_many([str(n).encode() for n in range(23)], in_flight=10))
    assert [answer.position for answer in answers] != list(range(23))
    assert {answer.position: answer.outcome.label for answer in answers} == {n: str(n) for n in range(23)}


def test_ordered_answers_keep_the_order_of_the_pictures(link: SemLink, fake: FakeTransmitter) -> None:
    fake.reverse = 5
    answers = list(link.send_many([str(n).encode() for n in range(23)], in_flight=10, ordered=True))
    assert outcome_labels(answers) == [str(n) for n in range(23)]


def test_counter_counts_on(link: SemLink, fake: FakeTransmitter) -> None:
    answers = list(link.send_many([b"a"] * 4, counter=7, stream=2, ordered=True))
    assert [answer.outcome.channel.counter for answer in answers] == [7, 8, 9, 10]


def test_a_failure_is_its_own_answer(link: SemLink, tmp_path: Path) -> None:
    answers = list(link.send_many([b"0", tmp_path / "none", b"fail", b"", b"4"], ordered=True))
    kinds = [type(answer.outcome) for answer in answers]
    assert kinds == [Delivery, NotFound, InvalidInput, InvalidPicture, Delivery]


def test_endless_pictures_are_taken_as_the_link_takes_them(link: SemLink, fake: FakeTransmitter) -> None:
    taken = []

    def endless() -> Iterator[bytes]:
        for number in count():
            taken.append(number)
            yield b"x"

    fake.hold.clear()
    answers = link.send_many(endless(), in_flight=4)
    fake.hold.set()
    for _ in range(50):
        next(answers)
    sleep(0.2)
    assert len(taken) <= 50 + 4
    answers.close()
    sleep(0.2)
    assert len(taken) <= 50 + 5


def test_no_more_than_in_flight_wait_for_an_answer(link: SemLink, fake: FakeTransmitter) -> None:
    taken = []
    fake.hold.clear()
    answers = link.send_many((taken.append(n) or b"x" for n in range(100)), in_flight=3)

    def release() -> None:
        sleep(0.3)
        assert len(taken) == 3
        fake.hold.set()

    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

    with ThreadPoolExecutor(1) as pool:
        released = pool.submit(release)
        assert len(list(answers)) == 100
        released.result()


def test_error_of_the_iterable_comes_after_the_answers(link: SemLink) -> None:
    def pictures() -> Iterator[bytes]:
        yield b"0"
        yield b"1"
        raise RuntimeError("camera unplugged")

    answers, error = until_error(link.send_many(pictures()))
    assert isinstance(error, RuntimeError)
    assert sorted(answer.position for answer in answers) == [0, 1]


def test_a_broken_stream_answers_what_was_on_its_way_and_raises(link: SemLink, fake: FakeTransmitter) -> None:
    fake.break_after = 6
    answers, error = until_error(link.send_many([b"x"] * 50, in_flight=5))
    assert isinstance(error, Unavailable)
    assert "going down" in str(error)
    assert sorted(answer.position for answer in answers) == list(range(len(answers)))
    assert isinstance(answers[-1].outcome, Unavailable)


def test_nobody_there_is_an_answer_and_an_error() -> None:
    with SemLink("127.0.0.1:1") as nowhere, pytest.raises(Unavailable, match="nothing answers"):
        list(nowhere.send_many([b"x"] * 3))


def test_no_pictures_no_answers(link: SemLink) -> None:
    assert list(link.send_many([])) == []


def test_streams_leave_no_thread_behind(link: SemLink) -> None:
    list(link.send_many([b"x"]))
    before = active_count()
    for _ in range(5):
        list(link.send_many([b"x"] * 3))
        next(link.send_many([b"x"] * 3)).position  # noqa: B018 - abandoned half way
    sleep(0.5)
    assert active_count() <= before + 1


def test_in_flight_below_one_is_refused_at_once(link: SemLink) -> None:
    with pytest.raises(InvalidSetting, match="in_flight = 0"):
        link.send_many([], in_flight=0)
