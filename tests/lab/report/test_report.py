"""The report: what is needed for an accuracy, and a page that shows every row."""

import json
import math
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from lab.evaluate.table import Row, write_table
from lab.report.channel_uses import uses_of
from lab.report.gain import needed, snr_needed, symbols_needed
from lab.report.markdown import write_page
from lab.report.results import Results
from shared.errors import DataLoss, NotFound

SNRS_DB = (-4.0, 0.0, 4.0)
AWGN = ("none", "none")


def row(scheme: str, k: int, snr_db: float, accuracy: float) -> Row:
    measured = {
        "ci_low": accuracy - 0.01,
        "ci_high": accuracy + 0.01,
        "cosine": 0.8,
        "encode_ms": 0.1,
        "decode_ms": 0.2,
    }
    sent = {"n": 1000, "semantic_accuracy": accuracy, **measured} if accuracy else {}
    return Row(scheme, k, k / 6144, k / 6144 + 0.005, *AWGN, "", snr_db, upper_bound=0.7, **sent)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """`b` needs 4 dB less than `a`, and at k = 64 nothing of `c` exists."""
    curves = {"a": (0.2, 0.4, 0.6), "b": (0.4, 0.6, 0.65), "c": (0.0, 0.0, 0.0)}
    rows = [
        row(name, k, snr_db, min(0.69, value * (1 + 0.1 * (k == 64))) if value else 0.0)
        for name, curve in curves.items()
        for k in (16, 64)
        for snr_db, value in zip(SNRS_DB, curve, strict=True)
    ]
    write_table(rows, tmp_path)
    reference = {
        "clip": "clip-tiny", "clip_fingerprint": "c0ffee", "queries": 1000, "items": 1000, "classes": 100,
        "source_values": 3072, "nearest_accuracy": 0.61, "classifier_accuracy": None,
    }  # fmt: skip
    (tmp_path / "reference.json").write_text(json.dumps(reference), encoding="utf-8")
    return tmp_path


def test_needed_by_hand() -> None:
    assert needed([0, 10, 20], [0.1, 0.3, 0.5], 0.4) == pytest.approx(15)
    assert needed([0, 10, 20], [0.1, 0.3, 0.5], 0.3) == pytest.approx(10)
    assert needed([0, 10, 20], [0.1, 0.3, 0.5], 0.1) == -math.inf
    assert math.isnan(needed([0, 10, 20], [0.1, 0.3, 0.5], 0.6))
    assert math.isnan(needed([], [], 0.1))


def test_gains(folder: Path) -> None:
    results = Results.read(folder)
    assert snr_needed(results, "a", AWGN, 16, 0.5) == pytest.approx(2)
    assert snr_needed(results, "b", AWGN, 16, 0.5) == pytest.approx(-2)
    assert math.isnan(snr_needed(results, "c", AWGN, 16, 0.5))
    # At 0 dB scheme a has 0.40 with 8 symbols and 0.44 with 32: 0.42 is in the middle, in log scale.
    assert symbols_needed(results, "a", AWGN, 0.0, 0.42) == pytest.approx(16, rel=0.01)


def test_a_page_shows_every_row(folder: Path) -> None:
    page = write_page(folder).read_text(encoding="utf-8")
    rows = pl.read_parquet(folder / "results.parquet")
    for one in rows.filter(pl.col("n") > 0).iter_rows(named=True):
        assert f"{one['semantic_accuracy']:.3f} / 0.80" in page
    assert page.count("| c | ") == 2
    assert "| c | 64 | 0.0154 | — | — | — |" in page
    pictures = sorted(path.name for path in (folder / "figures").iterdir())
    assert pictures == ["cbr-1.png", "cosine-1.png", "latency.png", "snr-1.png", "uses-1.png"]
    assert all(f"figures/{name}" in page for name in pictures)


def test_comparisons_in_sub_folders_are_chapters(folder: Path) -> None:
    sub = folder / "pictures"
    sub.mkdir()
    sent = replace(row("jpeg", 256, 0.0, 0.2), psnr_db=17.5, genie="header of the file", n=1234)
    other = replace(sent, scheme="webp", genie="")
    write_table([sent, replace(sent, snr_db=4.0), other, replace(other, snr_db=4.0)], sub)
    about = json.loads((folder / "reference.json").read_text(encoding="utf-8")) | {
        "scenario": "pictures",
        "title": "Pictures",
    }
    (sub / "reference.json").write_text(json.dumps(about), encoding="utf-8")
    page = write_page(folder).read_text(encoding="utf-8")
    assert "\n## Pictures\n\n1,234 pictures for each row." in page
    assert "`jpeg` (header of the file)" in page
    assert f"    semlink evaluate pictures --data DATA --out {sub}\n" in page
    assert (folder / "figures" / "pictures-psnr-1.png").exists()


def test_what_is_no_result_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="semlink evaluate"):
        Results.read(tmp_path)
    (tmp_path / "results.parquet").write_bytes(b"no table")
    with pytest.raises(DataLoss, match="no results"):
        Results.read(tmp_path)


def test_a_row_has_the_columns_of_the_table() -> None:
    expected = (
        "scheme k cbr cbr_total fading csi genie snr_db n semantic_accuracy ci_low ci_high semantic_agreement cosine "
        "knn_overlap_at_10 bler psnr_db encode_ms decode_ms params macs upper_bound "
        "framing header_symbols waveform_symbols configuration_symbols header_bler header_undetected"
    )
    assert list(asdict(row("a", 16, 0.0, 0.5))) == expected.split()
    assert np.isnan(row("a", 16, 0.0, 0.0).cosine)


def test_framings_are_told_apart_and_every_channel_use_has_a_place(folder: Path) -> None:
    """Bars add up to what is sent, and the share of a configuration; headers have a table of their own."""
    one = replace(row("a", 16, 0.0, 0.5), header_symbols=16.0, framing="ideal")
    two = replace(one, framing="explicit", header_symbols=8.0, waveform_symbols=3.0, configuration_symbols=2000)
    two = replace(two, header_bler=0.0123, header_undetected=0.0)
    write_table([one, two], folder)
    results = Results.read(folder)
    assert results.schemes == ["a, ideal", "a, explicit"]
    parts = ("payload", "pilots", "header_symbols", "configuration", "waveform_symbols")
    for uses, shared in zip(uses_of(results, AWGN, 0.0).iter_rows(named=True), (0, 2), strict=True):
        assert sum(uses[part] for part in parts) == pytest.approx(one.cbr_total * 3072 + shared)
        assert uses["configuration"] == shared
    page = write_page(folder).read_text(encoding="utf-8")
    assert "8: 0.012, 0" in page
    assert (folder / "figures" / "uses-1.png").is_file()
