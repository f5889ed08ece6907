"""Tables and templates of model cards."""

import pytest
from jinja2 import UndefinedError

from lab.report.cards import markdown_table, render


def test_tables() -> None:
    assert markdown_table([{"k": 16, "set": "drawn", "0 dB": 0.51234, "seconds": 92.4, "none": float("nan")}]) == (
        "| k | set | 0 dB | seconds | none |\n| --- | --- | --- | --- | --- |\n| 16 | drawn | 0.512 | 92 |  |"
    )


def test_a_template_has_all_its_values_or_fails() -> None:
    with pytest.raises(UndefinedError, match="learned"):
        render("train/label/card.md.j2", count=3)
