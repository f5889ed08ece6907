"""Text of strangers is shown as it is where it does nothing, and as escapes where it would."""

import pytest

from shared.printable import printable


@pytest.mark.parametrize("text", ["grün → 日本", "猫 🐈\u200d⬛", "[/red] {x} %s \\", ""])
def test_what_does_nothing_stays(text: str) -> None:
    assert printable(text) == text


def test_what_controls_a_terminal_or_turns_the_writing_is_escaped() -> None:
    assert printable("a\x1b[31m\x07\x9b\u202e\u2066\r\n\udcff\x7f") == r"a\x1b[31m\x07\x9b\u202e\u2066\r\n\udcff\x7f"
    assert printable("a\nb\r", keep="\n") == "a\nb\\r"
