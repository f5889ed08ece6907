"""Text of strangers is shown as it is where it does nothing, and as escapes where it would."""

import pytest

from shared.printable import first_line, joined, printable, shortened, shown


@pytest.mark.parametrize("text", ["grün → 日本", "猫 🐈\u200d⬛", "[/red] {x} %s \\", ""])
def test_what_does_nothing_stays(text: str) -> None:
    assert printable(text) == text


def test_what_controls_a_terminal_or_turns_the_writing_is_escaped() -> None:
    assert printable("a\x1b[31m\x07\x9b\u202e\u2066\r\n\udcff\x7f") == r"a\x1b[31m\x07\x9b\u202e\u2066\r\n\udcff\x7f"
    assert printable("a\nb\r", keep="\n") == "a\nb\\r"


def test_an_error_of_a_library_is_told_in_one_short_line() -> None:
    assert first_line(ValueError("  no frame\nOn instance: ...")) == "no frame"
    assert first_line(KeyError()) == "KeyError"
    assert first_line(KeyError("global")) == "it has no 'global'"
    assert len(first_line(ValueError("x" * 70_000))) == len(shown("x" * 70_000)) == 300
    assert shortened("as it is") == "as it is"


def test_of_many_faults_the_first_are_told_and_how_many_more() -> None:
    assert joined(["a", "b"]) == "a; b"
    assert joined(map(str, range(70))) == "0; 1; 2; 3; 4; and 65 more"
