"""The one training loop: a killed run resumes to the same result, the best epoch is kept, training stops early."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from lab.train.common.fit import Training, fit, moving_average
from lab.train.common.settings import TrainSettings


class Line(Training):
    """Learns y = 3 x from noisy points."""

    monitor = "error"
    mode = "min"

    def __init__(self, rate: float = 0.05, killed_in: int | None = None) -> None:
        super().__init__(steps=5, seed=1)
        self.weight = nn.Parameter(torch.randn(()))
        self.average = moving_average(nn.Linear(1, 1), 0.9)
        self.rate, self.killed_in = rate, killed_in

    def batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        for step in range(self.steps):
            if self.current_epoch == self.killed_in and step == 2:
                raise KeyError("killed")
            x = torch.randn(8)
            yield x, 3 * x + 0.1 * torch.randn(8)

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        x, y = batch
        return self.logged((self.weight * x - y).square().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD([self.weight], self.rate, momentum=0.9)

    def measure(self) -> dict[str, float]:
        return {"error": abs(float(self.weight) - 3)}


class Interrupted(Line):
    """As Ctrl-C does it in the middle of the third epoch."""

    def training_step(self, batch: tuple[Tensor, Tensor], step: int) -> Tensor:
        if self.current_epoch == 2:
            raise KeyboardInterrupt
        return super().training_step(batch, step)


def settings(folder: Path) -> TrainSettings:
    return TrainSettings(name="line", data="", runs=folder, device="cpu")


def test_a_killed_run_resumes_to_the_same_result(tmp_path: Path) -> None:
    """Bit for bit: the random numbers of an epoch depend on seed and epoch alone."""
    straight = Line()
    expected = fit(straight, settings(tmp_path), "straight", 5)
    with pytest.raises(KeyError, match="killed"):
        fit(Line(killed_in=3), settings(tmp_path), "cut", 5)
    torch.manual_seed(99)  # a new process has other random numbers
    resumed = Line()
    rows = fit(resumed, settings(tmp_path), "cut", 5)
    assert torch.equal(resumed.weight, straight.weight)
    assert [(row["epoch"], row["loss"], row["error"]) for row in rows] == [
        (row["epoch"], row["loss"], row["error"]) for row in expected
    ]
    assert all(row["seconds"] > 0 for row in rows)
    assert list((tmp_path / "cut").glob("events.out.tfevents*"))


@pytest.mark.parametrize("monitor", ["error", None])
def test_a_killed_run_goes_on_behind_its_last_epoch(tmp_path: Path, monitor: str | None) -> None:
    """Also where an earlier one was better: at a rate of 0 the first, and where none is chosen."""
    cut = Line(rate=0.0, killed_in=3)
    cut.monitor = monitor
    with pytest.raises(KeyError, match="killed"):
        fit(cut, settings(tmp_path), "cut", 5)
    kept = {file.name: torch.load(file, weights_only=True)["epoch"] for file in (tmp_path / "cut").glob("*.ckpt")}
    assert kept == {"last.ckpt": 2} | ({"best.ckpt": 0} if monitor else {})


def test_more_epochs_continue_a_finished_run(tmp_path: Path) -> None:
    straight, continued = Line(), Line()
    fit(straight, settings(tmp_path), "straight", 4)
    fit(Line(), settings(tmp_path), "more", 2)
    assert len(fit(continued, settings(tmp_path), "more", 4)) == 4
    assert torch.equal(continued.weight, straight.weight)


def test_training_stops_without_progress_and_keeps_the_best_epoch(tmp_path: Path) -> None:
    """Nothing is learned at a rate of 0, so the first epoch stays the best; a second call trains no more."""
    for _ in range(2):
        rows = fit(Line(rate=0.0), settings(tmp_path), "run", 50, patience=2)
        assert len(rows) == 3
    best = torch.load(tmp_path / "run" / "best.ckpt", weights_only=True)
    assert best["epoch"] == 0


def test_the_moving_average_follows_and_leaves_masks_alone() -> None:
    model = nn.Linear(2, 2)
    model.register_buffer("mask", torch.full((2,), -torch.inf), persistent=False)
    average = moving_average(model, decay=0.5)
    average.update_parameters(model)
    start = model.weight.detach().clone()
    with torch.no_grad():
        model.weight += 1
    average.update_parameters(model)
    torch.testing.assert_close(average.module.weight, start + 9 / 11)  # the first steps go most of the way
    for _ in range(50):
        average.update_parameters(model)
    torch.testing.assert_close(average.module.weight, model.weight.detach())
    assert torch.isneginf(average.module.mask).all()


def test_ctrl_c_is_no_end_like_others(tmp_path: Path) -> None:
    """Lightning would exit with status 1; the command line tells 130, and the run goes on where it was."""
    before = signal.getsignal(signal.SIGINT)
    try:
        with pytest.raises(KeyboardInterrupt):
            fit(Interrupted(), settings(tmp_path), "run", 4)
    finally:
        signal.signal(signal.SIGINT, before)
    assert [row["epoch"] for row in fit(Line(), settings(tmp_path), "run", 4)] == [1, 2, 3, 4]
