"""The one training loop: Lightning's, with checkpoints, TensorBoard, early stopping and the cost of each epoch.

    batches --training_step--> optimizer --.   every epoch:  measure -> curves -> last.ckpt, best.ckpt -> stop?
        ^----------------------------------'

It runs on the CPU, on one GPU, or on several (`devices`), and a run that was killed resumes from its last epoch.
"""

import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint, RichProgressBar
from lightning.pytorch.loggers import TensorBoardLogger
from torch import nn
from torch.optim.swa_utils import AveragedModel

from lab.bench.energy import Spent, spent_on
from lab.train.common.settings import TrainSettings
from shared.device import resolve_device
from shared.types import Ints

logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
_EXPECTED = ".*(does not have many workers|LeafSpec|exists and is not empty|smaller than the logging interval).*"


class Training(lightning.LightningModule):
    """A network in training: a subclass has `batches`, `training_step`, `configure_optimizers` and, maybe, `measure`.

    A subclass keeps its data where Lightning does not see them as modules. All randomness of an epoch is torch's global
    generator, seeded by (seed, epoch, rank), so that a resumed run is the same run; that of initial weights, by seed.

    monitor: figure of `measure` that chooses the best epoch, by `mode`; None keeps the last one
    """

    monitor: str | None = None
    mode = "max"

    def __init__(self, steps: int, seed: int) -> None:
        super().__init__()
        self.steps, self.seed = steps, seed
        torch.manual_seed(seed)

    def share(self, count: int) -> int:
        """Of a batch or a set of `count`, how many are this process's."""
        return max(1, count // self.trainer.world_size)

    def batches(self) -> Iterator[Any]:
        """The batches of one epoch, `steps` of them."""
        raise NotImplementedError

    def fresh(self, size: int) -> Iterator[Ints]:
        """Numbers of what is drawn for each step of an epoch: [size], none twice; those of another seed are others."""
        for step in range(self.steps):
            batch = self.current_epoch * self.steps + step
            first = ((self.seed << 24) + batch * self.trainer.world_size + self.global_rank) * size
            yield first + np.arange(size)

    def measure(self) -> dict[str, float]:
        """Figures after an epoch; the same noise on every call, so that epochs compare."""
        return {}

    def logged(self, loss: torch.Tensor) -> torch.Tensor:
        """Log a step's loss, and give it back."""
        self.log("loss", loss, prog_bar=True, on_step=False, on_epoch=True, batch_size=1, sync_dist=True)
        return loss

    def train_dataloader(self) -> "_Epochs":
        """See `batches`."""
        return _Epochs(self)

    def val_dataloader(self) -> list[int]:
        """One step, which measures."""
        return [0]

    def validation_step(self, *_: object) -> None:
        """See `measure`."""
        self.log_dict(self.measure(), prog_bar=True, batch_size=1, sync_dist=True)


class _Epochs:
    """The batches of one epoch after another."""

    def __init__(self, training: Training) -> None:
        self._training = training

    def __len__(self) -> int:
        return self._training.steps

    def __iter__(self) -> Iterator[Any]:
        training = self._training
        entropy = (training.seed, training.current_epoch, training.global_rank)
        torch.manual_seed(int(np.random.SeedSequence(entropy).generate_state(1)[0]))
        yield from training.batches()


class Curves(Callback):
    """The figures of all epochs with seconds and joules, `rows`; a resumed run goes on with those before it.

    spent: by the last epoch of this process
    """

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []
        self.spent: Spent | None = None
        self._epoch = ExitStack()

    def on_train_epoch_start(self, trainer: lightning.Trainer, *_: object) -> None:
        """Start the clock."""
        self.spent = self._epoch.enter_context(spent_on(trainer.strategy.root_device))

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Keep, log and print the figures; checkpoints are written after this."""
        assert self.spent is not None
        self._epoch.close()
        pl_module.log_dict({name: value for name, value in self.spent.row.items() if value >= 0}, sync_dist=True)
        figures = {name: float(value) for name, value in trainer.callback_metrics.items()}
        self.rows.append({"epoch": trainer.current_epoch + 1, **figures, **self.spent.row})
        if trainer.is_global_zero:
            print(*(f"{name} {value:.4g}" for name, value in self.rows[-1].items()), file=sys.stderr)

    def state_dict(self) -> dict[str, Any]:
        """For Lightning's checkpoint."""
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """From Lightning's checkpoint."""
        self.rows = state_dict["rows"]


class _EarlyStopping(EarlyStopping):
    """Early stopping that also ends a resumed run that had stopped already."""

    def on_train_start(self, trainer: lightning.Trainer, *_: object) -> None:
        """Look at the restored count."""
        trainer.should_stop = trainer.should_stop or self.wait_count >= self.patience


def fit(
    training: Training, settings: TrainSettings, run: str, epochs: int, patience: int | None = None
) -> list[dict[str, float]]:
    """Train for some epochs, or finish a run that was killed; `training` then has the best epoch's parameters.

    run: folder under `settings.runs`, named by all that decides about the result
    patience: epochs without a better `training.monitor` that end the run
    Gives the figures of each epoch, with `epoch`, `seconds` and `joules`.
    """
    folder, curves = settings.runs / run, Curves()
    last, best = folder / "last.ckpt", folder / "best.ckpt"
    trainer = lightning.Trainer(
        accelerator="gpu" if resolve_device(settings.device).type == "cuda" else "cpu",
        devices=settings.devices or "auto",
        max_epochs=epochs,
        logger=TensorBoardLogger(folder.parent, folder.name, version=""),
        callbacks=[curves, *_callbacks(training, folder, patience)],
        enable_model_summary=False,
        num_sanity_val_steps=0,
        log_every_n_steps=1,
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=_EXPECTED)
        try:
            trainer.fit(training, ckpt_path=last if last.exists() else None)
        except SystemExit:  # Lightning's own way to end at Ctrl-C
            if trainer.interrupted:
                raise KeyboardInterrupt from None
            raise
    chosen = best if training.monitor else last
    training.load_state_dict(torch.load(chosen, map_location="cpu", weights_only=True)["state_dict"])
    training.eval()
    if trainer.is_global_zero:
        last_epoch = f"the last one took {curves.spent}; " if curves.spent else ""
        print(f"{run}: {len(curves.rows)} epochs, {last_epoch}tensorboard --logdir {settings.runs}", file=sys.stderr)
    return curves.rows


def _callbacks(training: Training, folder: Path, patience: int | None) -> list[Callback]:
    # Each epoch is kept by a callback of its own: `save_last` of one that monitors keeps only those that were better.
    always: dict[str, Any] = {"save_on_train_epoch_end": True, "enable_version_counter": False}
    callbacks: list[Callback] = [
        RichProgressBar(console_kwargs={"stderr": True}),
        ModelCheckpoint(folder, "last", **always),
    ]
    if training.monitor:
        callbacks.append(ModelCheckpoint(folder, "best", monitor=training.monitor, mode=training.mode, **always))
    if patience is not None and training.monitor:
        callbacks.append(
            _EarlyStopping(training.monitor, mode=training.mode, patience=patience, check_on_train_epoch_end=True)
        )
    return callbacks


def moving_average(network: nn.Module, decay: float) -> AveragedModel:
    """Exponential moving average of parameters and buffers. The first steps, far from the goal, are forgotten quickly.

    average <- average + (1 - w) (current - average),   w = min(decay, (1 + steps) / (10 + steps))
    """

    def average(mean: torch.Tensor, current: torch.Tensor, steps: torch.Tensor | int) -> torch.Tensor:
        weight = torch.as_tensor((1 + steps) / (10 + steps)).clamp(max=decay)
        # Where both are equal nothing moves: an attention mask of -inf has no average.
        return torch.where(mean == current, mean, mean + (1 - weight) * (current - mean))

    averaged = AveragedModel(network, avg_fn=average, use_buffers=True)
    return averaged.requires_grad_(False)
