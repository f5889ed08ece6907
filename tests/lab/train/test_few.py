"""What a training says that learned from few embeddings of a label: the number that would be enough, and its worth."""

import re
from pathlib import Path
from typing import Any

import pytest

from lab.data.cones import save_cone
from lab.train.label import LabelSettings
from lab.train.label.train import train_label
from lab.train.nested import NestedSettings
from lab.train.nested.train import train_nested

SAID = re.compile(
    r"half of the 10 labels have at most (\d+) vectors; what (\w+) learns of labels can be trusted from about 20 of "
    r"each on. Validation accuracy at k = 64, 4 dB: ([01].\d+), untrained \(principal axes alone\) ([01].\d+), "
    r"without codec and channel ([01].\d+)"
)


def settings(folder: Path) -> dict[str, Any]:
    return {"features": str(folder / "cone.npz"), "out": folder / "weights", "runs": folder / "runs", "device": "cpu"}


@pytest.mark.parametrize(("count", "warned"), [(120, True), (400, False)])
def test_nested_warns_of_few_embeddings_of_a_label(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], count: int, warned: bool
) -> None:
    save_cone(tmp_path / "cone.npz", count, 0.65, labels=10)
    train_nested(NestedSettings(**settings(tmp_path), axes=8, rounds=1, steps=5, batch_size=32))
    said = SAID.search(capsys.readouterr().err)
    assert (said is not None) == warned
    if said:
        assert (10 <= int(said[1]) <= 14, said[2]) == (True, "nested")
        assert all(0 <= float(figure) <= 1 for figure in said.groups()[2:])
        assert float(said[5]) > 0.4, "the nearest of ten clear labels"


def test_label_warns_too_and_unlabelled_does_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_cone(tmp_path / "cone.npz", 120, 0.65, labels=10)
    train_label(LabelSettings(**settings(tmp_path), epochs=1, steps=5))
    said = SAID.search(capsys.readouterr().err)
    assert said is not None
    assert said[2] == "label"
    train_nested(NestedSettings(**settings(tmp_path), axes=8, rounds=1, steps=5, batch_size=32, unlabelled=True))
    assert not SAID.search(capsys.readouterr().err)
