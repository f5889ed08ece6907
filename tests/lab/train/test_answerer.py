"""Training of the answerers: lessons that are true, two answerers that share nothing, and a loss that falls."""

from pathlib import Path

import numpy as np
import pytest

from lab.train.answerer import AnswererSettings
from lab.train.answerer.train import AnswererTraining, gates_of, lesson
from lab.train.common.fit import fit
from shared.datasets.scenes import KINDS, draw_scenes, questions_about


def test_a_lesson_shows_where_the_objects_are() -> None:
    made, scenes = lesson("train", np.arange(20), 6), draw_scenes("train", range(20))
    assert made.pictures.shape == (20, 3, 64, 64)
    picture, row, column, shape, _ = made.cells.numpy()
    assert len({*zip(picture.tolist(), row.tolist(), column.tolist(), strict=True)}) == len(picture)
    assert len(picture) == scenes.objects.there.sum()
    np.testing.assert_array_equal(shape, scenes.objects.shape[scenes.objects.there])


def test_gates_count_the_objects_that_are_asked_about() -> None:
    objects, asked = draw_scenes("train", range(50)).objects, questions_about("train", range(50))
    counted = asked.kind == KINDS.index("count")
    np.testing.assert_array_equal(gates_of(objects, asked).sum((1, 2))[counted], asked.answer[counted])


def test_the_two_answerers_share_neither_width_nor_pictures() -> None:
    judge, witness = AnswererSettings(name="judge"), AnswererSettings(name="witness")
    assert judge.width != witness.width
    assert judge.entropy != witness.entropy


@pytest.mark.slow
def test_an_answerer_learns(tmp_path: Path) -> None:
    settings = AnswererSettings(
        name="witness", device="cpu", runs=tmp_path, scenes=8, steps=8, rounds=2, warmup_steps=4, validated=20
    )
    rows = fit(AnswererTraining(settings), settings, "run", settings.rounds)
    assert rows[-1]["loss"] < 0.9 * rows[0]["loss"]
    assert set(KINDS) <= set(rows[-1])
