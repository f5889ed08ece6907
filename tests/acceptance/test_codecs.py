"""What the nested code has to reach, at every point at which both sides were measured.

By default the published results are looked at, docs/results.md. SEMLINK_RESULTS names a folder that `semlink evaluate`
has written instead, such as out/results after `make results`; its rows are not rounded, and have the overlap.
"""

import os
from pathlib import Path

import polars as pl
import pytest

from tests.tools.paths import ROOT
from tests.tools.published import of_folder, of_page

pytestmark = pytest.mark.slow

AWGN, RAYLEIGH = ("none", "none"), ("rayleigh", "pilot")
USEFUL_BOUND = 0.3
"""Upper bound below which the channel leaves too little for a share of it to mean much."""
LONG_K, SHORT_K = 64, 64
"""Real dimensions from which on fidelity counts, and up to which a codec without labels has to win."""


@pytest.fixture(scope="module")
def rows() -> pl.DataFrame:
    folder = os.environ.get("SEMLINK_RESULTS")
    return of_folder(Path(folder)) if folder else of_page((ROOT / "docs/results.md").read_text(encoding="utf-8"))


def share_of_bound(rows: pl.DataFrame) -> pl.DataFrame:
    """Accuracy of `nested` over the upper bound: k, snr_db, value."""
    useful = pl.col("upper_bound") > USEFUL_BOUND
    found = rows.filter(useful, scheme="nested", fading=AWGN[0], csi=AWGN[1])
    return found.select("k", "snr_db", value=pl.col("semantic_accuracy") / pl.col("upper_bound"))


def lead(
    rows: pl.DataFrame, one: str, other: str, channel: tuple[str, str] = AWGN, column: str = "semantic_accuracy"
) -> pl.DataFrame:
    """Values of one scheme less those of another, wherever both were sent: k, snr_db, value."""
    first, second = (rows.filter(scheme=name, fading=channel[0], csi=channel[1]) for name in (one, other))
    both = first.join(second, on=["k", "snr_db"], suffix="_other")
    return both.select("k", "snr_db", value=(pl.col(column) - pl.col(f"{column}_other")).round(4)).drop_nulls()


def check_least(values: pl.DataFrame, least: float) -> None:
    """Every value is at least so much, and there are some."""
    assert len(values), "nothing was measured"
    worst = values.sort("value").row(0, named=True)
    assert worst["value"] >= least, worst


def test_nested_comes_close_to_the_upper_bound(rows: pl.DataFrame) -> None:
    share = share_of_bound(rows)
    check_least(share, 0.90)
    assert float(share["value"].to_numpy().mean()) >= 0.97


@pytest.mark.parametrize("channel", [AWGN, RAYLEIGH], ids=["awgn", "rayleigh"])
def test_nested_tells_the_label_as_well_as_a_code_for_labels_alone(
    rows: pl.DataFrame, channel: tuple[str, str]
) -> None:
    check_least(lead(rows, "nested", "label", channel), -0.01)


@pytest.mark.parametrize("column", ["cosine", "knn_overlap_at_10"])
def test_nested_keeps_more_of_the_embedding_than_kbsc(rows: pl.DataFrame, column: str) -> None:
    if column not in rows.columns:
        pytest.skip("docs/results.md does not print it: SEMLINK_RESULTS names no folder with results")
    check_least(lead(rows, "nested-nearest", "kbsc", column=column).filter(pl.col("k") >= LONG_K), 0.0)


def test_a_code_that_learned_without_labels_beats_kbsc(rows: pl.DataFrame) -> None:
    check_least(lead(rows, "nested-unlabelled", "kbsc").filter(pl.col("k") <= SHORT_K), 0.0)


def check_fidelity(rows: pl.DataFrame) -> None:
    test_nested_keeps_more_of_the_embedding_than_kbsc(rows, "cosine")


def check_label(rows: pl.DataFrame) -> None:
    test_nested_tells_the_label_as_well_as_a_code_for_labels_alone(rows, AWGN)


@pytest.mark.parametrize(
    ("scheme", "column", "factor", "check"),
    [
        ("nested", "semantic_accuracy", 0.8, test_nested_comes_close_to_the_upper_bound),
        ("label", "semantic_accuracy", 1.1, check_label),
        ("nested-nearest", "cosine", 0.9, check_fidelity),
        ("nested-unlabelled", "semantic_accuracy", 0.5, test_a_code_that_learned_without_labels_beats_kbsc),
    ],
    ids=["bound", "label", "fidelity", "unlabelled"],
)
def test_one_point_that_is_off_is_found(rows: pl.DataFrame, scheme: str, column: str, factor: float, check) -> None:
    """k = 64, 0 dB, AWGN."""
    at = (pl.col("scheme") == scheme) & (pl.col("k") == 64) & (pl.col("snr_db") == 0) & (pl.col("fading") == "none")
    changed = pl.when(at).then(pl.col(column) * factor).otherwise(pl.col(column))
    with pytest.raises(AssertionError):
        check(rows.with_columns(changed.alias(column)))
