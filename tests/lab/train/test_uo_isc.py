"""Training of `uo-isc`: a loss that falls, books that are used, and a run that is resumed."""

from pathlib import Path

import pytest
import torch

from lab.train.common.fit import fit
from lab.train.uo_isc import UoIscSettings, losses
from lab.train.uo_isc.adversary import Critic, error_of_critic, error_of_deception
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


def test_a_resumed_run_knows_which_codewords_were_used() -> None:
    """Else all of them would start again."""
    assert "used" in UoIscTraining(UoIscSettings(device="cpu"), Answerer.load("judge")).state_dict()


@pytest.mark.slow
def test_the_codec_learns(tmp_path: Path) -> None:
    settings = UoIscSettings(
        device="cpu", runs=tmp_path, scenes=8, steps=8, rounds=2, warmup_steps=3, unquantized_steps=12, intent_from=0.8,
        validated=2,
    )  # fmt: skip
    judge = Answerer.load("judge")
    rows = fit(UoIscTraining(settings, judge), settings, "run", settings.rounds)
    assert rows[-1]["loss"] < rows[0]["loss"]
    more = fit(UoIscTraining(settings, judge), settings, "run", settings.rounds + 1)
    assert [row["epoch"] for row in more] == [1, 2, 3]


def test_deceiving_moves_the_codec_and_not_the_critic() -> None:
    torch.manual_seed(1)
    critic, rebuilt = Critic(), torch.rand(2, 3, 64, 64, requires_grad=True)
    error_of_deception(critic, rebuilt).backward()
    assert rebuilt.grad is not None
    assert rebuilt.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in critic.parameters())


def test_the_critic_learns_to_tell_them_apart() -> None:
    torch.manual_seed(1)
    critic = Critic()
    real, rebuilt = torch.rand(8, 3, 64, 64), torch.rand(8, 3, 64, 64) * 0.2
    optimizer = torch.optim.Adam(critic.parameters(), 1e-3, (0.0, 0.9))
    for _ in range(30):
        optimizer.zero_grad()
        error_of_critic(critic, real, rebuilt).backward()
        optimizer.step()
    assert critic(real).mean() > critic(rebuilt).mean() + 0.1


@pytest.mark.slow
def test_an_adversary_takes_part(tmp_path: Path) -> None:
    settings = UoIscSettings(
        device="cpu", runs=tmp_path, scenes=2, steps=2, rounds=1, adversary=0.01, adversary_from=0, validated=1
    )
    training = UoIscTraining(settings, Answerer.load("judge"))
    assert training.critic is not None
    before = [parameter.detach().clone() for parameter in training.critic.parameters()]
    rows = fit(training, settings, "run", settings.rounds)
    assert len(rows) == 1
    moved = [not torch.equal(*pair) for pair in zip(before, training.critic.parameters(), strict=True)]
    assert all(moved[:-2])
    assert any(moved[-2:])  # the last bias cancels: it adds the same to real and to rebuilt pictures


def test_perplexity_counts_the_codewords_in_use() -> None:
    every = torch.arange(64).repeat(3)
    assert losses.perplexity(torch.stack([every, every], 1)) == pytest.approx(64, rel=1e-4)
    assert losses.perplexity(torch.stack([every % 4, every * 0], 1)) == pytest.approx((4 + 1) / 2, rel=1e-4)


def test_wrong_bits_are_as_many_as_the_channel_makes() -> None:
    torch.manual_seed(1)
    indices = torch.randint(64, (4000, 24))
    wrong = losses.with_wrong_bits(indices, torch.tensor([0.0, 0.1]).repeat(2000))
    assert torch.equal(wrong[::2], indices[::2])
    flipped = sum(((wrong[1::2] ^ indices[1::2]) >> place & 1).float().mean() for place in range(6)) / 6
    assert flipped == pytest.approx(0.1, abs=0.002)  # 288,000 bits: 3.6 standard deviations
    assert wrong.max() < 64


@pytest.mark.slow
@pytest.mark.parametrize("name", ["uo-isc-channel", "uo-isc-clip"])
def test_a_variant_takes_a_step(name: str, tmp_path: Path) -> None:
    settings = UoIscSettings(
        name=name, device="cpu", runs=tmp_path, scenes=2, steps=3, rounds=1, unquantized_steps=1, channel_from=0,
        validated=1,
    )  # fmt: skip
    training = UoIscTraining(settings, Answerer.load("judge"))
    assert len(fit(training, settings, "run", settings.rounds)) == 1
    assert training.sight.name == ("clip-scenes" if name == "uo-isc-clip" else "judge")
