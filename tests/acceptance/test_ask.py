"""What asking has to reach (`lab.evaluate.ask.bars`), in the table that docs/ask.md shows.

SEMLINK_ASK_RESULTS names another `ask.csv`, such as that of `semlink evaluate ask`.
"""

import os
from pathlib import Path

import polars as pl
import pytest

from lab.evaluate.ask.bars import Bar, reached
from tests.tools.paths import ROOT

NOT_REACHED = ("klt-relevance over LDPC, Rayleigh",)
"""Beginnings of the bars that are missed; docs/ask.md says why. One that is reached has to leave this list."""


def bars() -> list[Bar]:
    file = Path(os.environ.get("SEMLINK_ASK_RESULTS", ROOT / "docs/ask.csv"))
    return reached(pl.read_csv(file, infer_schema_length=None))


@pytest.mark.parametrize("bar", bars(), ids=lambda bar: bar.text)
def test_bar(bar: Bar) -> None:
    missed = any(bar.text.startswith(beginning) for beginning in NOT_REACHED)
    assert bar.met != missed, f"{bar.text}: {bar.found}, at least {bar.wanted}"


def test_every_split_has_a_thousand_questions() -> None:
    file = Path(os.environ.get("SEMLINK_ASK_RESULTS", ROOT / "docs/ask.csv"))
    table = pl.read_csv(file, infer_schema_length=None)
    assert table["questions"].to_numpy().min() >= 900
