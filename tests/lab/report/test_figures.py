"""The axes of figures."""

import polars as pl
import pytest
from matplotlib.figure import Figure

from lab.report.figures import mark_measured


@pytest.mark.parametrize(
    ("measured", "marks"),
    [
        ([1 / 768, 1 / 96], ["1/768", "1/96"]),
        ([1 / n for n in range(100, 900, 10)], ["1/512", "1/256", "1/128"]),
    ],
    ids=["each that was measured", "powers of two of many"],
)
def test_marks_of_bandwidths(measured: list[float], marks: list[str]) -> None:
    axes = Figure().subplots()
    mark_measured(axes, pl.DataFrame({"cbr": measured}), "cbr")
    assert [label.get_text() for label in axes.get_xticklabels()] == marks
