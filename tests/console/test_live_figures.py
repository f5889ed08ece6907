"""Rolling figures of a live stream."""

import csv
import io

import pytest

from console.live_figures import WINDOW, LiveFigures, Sample
from shared.intervals import wilson


def sample(second: float, *, right: bool, latency: float = 0.01) -> Sample:
    return Sample(second, "cat", "cat" if right else "dog", 0.9, True, 10.0, 9.5, latency, 1, "0" * 16)


def test_accuracy_is_that_of_the_window_and_a_failure_is_wrong() -> None:
    figures = LiveFigures()
    for second in range(WINDOW):
        figures.add(sample(second, right=False))
    for second in range(WINDOW):
        figures.add(sample(WINDOW + second, right=second >= 10, latency=0.2 if second == 0 else 0.01))
    figures.add(Sample(200.0, "cat", error="lost"))
    accuracy, lower, upper = (figures.curves[name][-1][1] for name in ("accuracy", "lower", "upper"))
    assert accuracy == pytest.approx(40 / 50)
    assert 0.65 < lower < accuracy < upper < 0.9
    assert figures.curves["p50"][-1][1] == pytest.approx(10)
    assert "1 without an answer" in figures.summary


def test_csv_has_every_sample() -> None:
    figures = LiveFigures()
    figures.add(sample(1.0, right=True))
    figures.add(Sample(2.0, "cat", error="lost, for a while"))
    rows = list(csv.DictReader(io.StringIO(figures.csv())))
    assert [row["error"] for row in rows] == ["", "lost, for a while"]
    assert rows[0]["snr_db_achieved"] == "9.5"
    assert rows[1]["snr_db_achieved"] == ""


def test_wilson_interval() -> None:
    """Published example: 81 of 263, 95 %: 0.2553 to 0.3662 (Newcombe, 1998, method 3)."""
    assert wilson(81 / 263, 263, 1.959964) == pytest.approx((0.2553, 0.3662), abs=1e-4)
