"""Training of clip-scenes: lessons that are true, and a loss that falls."""

from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch

from lab.train.clip_scenes import ClipScenesSettings, lessons, losses
from lab.train.clip_scenes.train import ClipScenesTraining
from lab.train.common.fit import fit
from shared.clip.name import SCENES
from shared.clip.tower import register_shipped
from shared.datasets.scenes import arrange_scenes
from shared.datasets.scenes.words import ANSWERS, to_words


def test_captions_name_objects_that_are_there_and_may_be_true_of_other_scenes() -> None:
    shown = torch.tensor([[1, 1, 0], [1, 0, 0], [0, 1, 1]], dtype=torch.bool)
    assert lessons.true_of(shown, [[1, 0], [0], [2]]).tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 1]]
    named = lessons.named_in(shown, np.random.default_rng(1))
    assert all(set(each) <= set(np.flatnonzero(row).tolist()) for each, row in zip(named, shown.numpy(), strict=True))
    assert all(named)


def test_a_question_has_every_answer_of_its_kind() -> None:
    words = np.stack([to_words("is there a red heart?"), to_words("where is the red heart?")])
    texts, right = lessons.answered(words, np.array([ANSWERS.index("no"), ANSWERS.index("top right")]))
    assert [text for text in texts[0] if text] == ["is there a red heart? yes", "is there a red heart? no"]
    assert [text[24:] for text in texts[1] if text] == ["top left", "top right", "bottom left", "bottom right"]
    assert right.tolist() == [1, 1]
    assert {len(row) for row in texts} == {lessons.MOST}


def test_a_lesson_tells_which_object_is_in_which_cell() -> None:
    register_shipped()
    made = lessons.scene_lesson("train", np.arange(6), 2, open_clip.get_tokenizer(SCENES))
    objects = arrange_scenes("train", range(6))
    assert made.combinations.tolist() == (objects.shape * 10 + objects.colour)[objects.there].tolist()
    assert made.right.diagonal().tolist() == [1] * 6
    assert made.questions.shape == (12, lessons.MOST, 32)
    assert bool(made.questions[torch.arange(12), made.answers].any(1).all())


def test_losses_are_small_where_all_agree() -> None:
    eye, scale = torch.eye(4), torch.tensor(50.0)
    assert float(losses.of_captions(eye, eye, eye, scale)) < 1e-3 < float(losses.of_captions(eye, -eye, eye, scale))
    texts = torch.stack([eye[:2], torch.stack([eye[1], torch.zeros(4)])])
    assert float(losses.of_answers(eye[:2], texts, torch.tensor([0, 0]), scale)) < 1e-3
    assert float(losses.of_answers(eye[:2], texts, torch.tensor([1, 0]), scale)) > 10


@pytest.mark.slow
def test_it_learns(tmp_path: Path) -> None:
    settings = ClipScenesSettings(
        device="cpu", runs=tmp_path, scenes=8, steps=6, rounds=2, warmup_steps=4, validated=10
    )
    rows = fit(ClipScenesTraining(settings), settings, "run", settings.rounds)
    assert rows[-1]["loss"] < rows[0]["loss"]
    assert {"caption", "answer", "cell"} <= set(rows[-1])
