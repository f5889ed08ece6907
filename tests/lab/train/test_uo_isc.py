"""Training of `uo-isc`: a loss that falls, books that are used, and a run that is resumed."""

from pathlib import Path

import pytest
import torch

from lab.train.common.fit import fit
from lab.train.uo_isc import UoIscSettings, losses
from lab.train.uo_isc.train import UoIscTraining
from shared.codecs.answerers import Answerer


def test_intent_is_nothing_between_the_same_thoughts() -> None:
    thought = (torch.rand(3, 8, 4, 4), torch.rand(3, 16))
    assert losses.intent(thought, thought) == pytest.approx(0, abs=1e-5)
    assert losses.intent(thought, (-thought[0], thought[1])) > 0.5


def test_pixels_count_where_cells_are_sent_and_asked_about() -> None:
    cells = torch.zeros(1, 8, 8)
    cells[0, 1, 1] = 1
    weights = losses.weights_of_pixels(cells, cells)[0, 0]
    assert weights[12, 12] > 10 * weights[60, 60]


@pytest.mark.slow
def test_the_codec_learns(tmp_path: Path) -> None:
    settings = UoIscSettings(
        device="cpu", runs=tmp_path, scenes=4, steps=6, rounds=2, warmup_steps=3, unquantized_steps=4, intent_from=0.5
    )
    judge = Answerer.load("judge")
    rows = fit(UoIscTraining(settings, judge), settings, "run", settings.rounds)
    assert rows[-1]["loss"] < rows[0]["loss"]
    more = fit(UoIscTraining(settings, judge), settings, "run", settings.rounds + 1)
    assert [row["epoch"] for row in more] == [1, 2, 3]
