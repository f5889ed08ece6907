"""Of each label a few embeddings, drawn by seed."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lab.experiments.few_labels import few_of, main
from shared.errors import InvalidInput

LABELS = np.repeat([3, 1, 2], [50, 4, 20])


def test_so_many_of_each_label_are_chosen_and_all_where_there_are_fewer() -> None:
    chosen = few_of(LABELS, 10)
    labels, counts = np.unique(LABELS[chosen], return_counts=True)
    assert dict(zip(labels, counts, strict=True)) == {1: 4, 2: 10, 3: 10}
    assert len(np.unique(chosen)) == len(chosen)


def test_the_seed_decides_which() -> None:
    assert np.array_equal(few_of(LABELS, 10), few_of(LABELS, 10))
    assert not np.array_equal(few_of(LABELS, 10), few_of(LABELS, 10, seed=1))


def test_embeddings_without_labels_are_refused(tmp_path: Path) -> None:
    e = np.random.default_rng(0).normal(size=(60, 8)).astype(np.float32)
    np.savez(tmp_path / "bare.npz", embeddings=e, ids=np.arange(60).astype(str), clip_fingerprint=np.array("c0ffee"))
    with pytest.raises(InvalidInput, match=r"bare\.npz has no labels"):
        main(str(tmp_path / "bare.npz"), [1], tmp_path)


def test_what_is_wrong_is_told_in_a_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lab.experiments.few_labels", "no-such-source", "--each", "1"],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("semlink: ")
    assert "Traceback" not in done.stderr
