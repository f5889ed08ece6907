"""Trains the codecs of pictures, `deepjscc` and `swinjscc`, on CIFAR-100's train split.

    pictures --encode--> z --+ noise--> z_hat --decode--> pictures,    loss = mean squared error

Each batch has one k, at random. Each picture has an average SNR of its own from -7 .. 10 dB, which the sender is told;
half of the bursts fade (Rayleigh, one gain for a burst, zero-forced), so their noise power is N0 / |h|^2, which the
receiver is told. Adam; the rate is constant, and falls to zero over the last fifth of the rounds. The start is a
linear code (`lab.train.jscc.init`); what is judged and shipped is a moving average of the weights.

Run `python -m lab.train.jscc.train deepjscc --data DIR`. A run that was killed goes on from its last finished round.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import torch
import typer
from rich.console import Console
from rich.progress import Progress
from torch import Tensor
from torch.nn.functional import mse_loss

from lab.bench.energy import Spent, spent_on
from lab.train.common.checkpoint import load_checkpoint, save_checkpoint
from lab.train.common.curves import say_last, write_curves
from lab.train.common.export import export_jscc
from lab.train.common.moving_average import MovingAverage
from lab.train.jscc.card import write_jscc_card
from lab.train.jscc.init import start_as_linear_code
from shared.codecs import codec_class
from shared.codecs.picture.jscc.codec import JsccCodec, to_unit_range
from shared.codecs.picture.jscc.network import JsccNetwork, reliability_of
from shared.datasets.cifar100 import read_cifar100
from shared.device import resolve_device, use_threads
from shared.errors import InvalidSetting

LOWEST_DB: Final = -7.0
HIGHEST_DB: Final = 10.0
VALIDATION_DB: Final = (-7.0, 0.0, 10.0)
LEAST_GAIN: Final = 1e-3
"""Of |h|^2: deeper fades leave nothing to learn from."""

_HELD_OUT = 5000
_JUDGED = 500  # of them after each round, the same pictures and the same noise, so that rounds compare
_FALL = 0.2


@dataclass(frozen=True)
class JsccTraining:
    """Settings of a run. A round has `steps` batches. patience: rounds without a better validation that end it."""

    codec: str
    data: Path
    out: Path
    runs: Path
    rounds: int = 60
    steps: int = 200
    patience: int = 30
    batch_size: int = 64
    lr: float = 1e-3
    average_decay: float = 0.999
    warmup_steps: int = 300
    seed: int = 1
    device: str = "auto"
    threads: int | None = None


@dataclass
class History:
    """What an interrupted run has to remember beside its tensors."""

    curves: list[dict[str, float]] = field(default_factory=list)

    @property
    def best_db(self) -> float:
        """Highest validation PSNR so far."""
        return max((row["validation_psnr_db"] for row in self.curves), default=-np.inf)

    def stale(self, patience: int) -> bool:
        """Whether the last `patience` rounds brought nothing."""
        return len(self.curves) > patience and self.best_db not in [
            row["validation_psnr_db"] for row in self.curves[-patience:]
        ]


class JsccTrainer:
    """A network on its way. learned, held_out: pictures [N, 32, 32, 3], uint8."""

    def __init__(self, network: JsccNetwork, pixels: "np.ndarray[Any, Any]", settings: JsccTraining) -> None:
        order = np.random.default_rng(settings.seed).permutation(len(pixels))
        held_out = min(_HELD_OUT, len(pixels) // 10)
        self.learned, self.held_out = pixels[order[held_out:]], pixels[order[:held_out]]
        self.settings, self.device = settings, resolve_device(settings.device)
        self.network = network.to(self.device)
        self.optimizer = torch.optim.Adam(network.parameters(), lr=settings.lr, fused=True)
        self.average = MovingAverage(network, settings.average_decay)
        self.history = History()

    @property
    def rounds(self) -> int:
        """Rounds that are finished."""
        return len(self.history.curves)

    def run_round(self, progress: Progress) -> float:
        """Some batches of pictures at random; gives the mean loss."""
        self.network.train()
        steps, size = self.settings.steps, self.settings.batch_size
        generator = torch.Generator().manual_seed(1_000_003 * self.settings.seed + self.rounds)
        members = torch.randint(len(self.learned), (steps, size), generator=generator).numpy()
        task = progress.add_task(f"round {self.rounds + 1}/{self.settings.rounds}", total=steps)
        total = 0.0
        for step in range(steps):
            for group in self.optimizer.param_groups:
                group["lr"] = self.settings.lr * self._rate(step / steps)
            total += self._step(to_unit_range(self.learned[members[step]]), generator)
            progress.advance(task)
        progress.remove_task(task)
        return total / steps

    def _rate(self, share: float) -> float:
        """Factor of the learning rate after a share of the current round."""
        rest = (self.settings.rounds - self.rounds - share) / (_FALL * self.settings.rounds)
        return min(1.0, rest, (self.average.steps + 1) / self.settings.warmup_steps)

    def _step(self, pictures: Tensor, generator: torch.Generator) -> float:
        lengths = self.network.lengths
        k = lengths[int(torch.randint(len(lengths), (), generator=generator))]
        snr_db, noise = draw_channels(len(pictures), generator)
        mirrored = torch.rand(len(pictures), 1, 1, 1, generator=generator) < 0.5
        pictures = torch.where(mirrored, pictures.flip(3), pictures).to(self.device)
        unit = torch.randn(len(pictures), k, generator=generator).to(self.device)
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast(self.device.type, torch.bfloat16):
            loss = mse_loss(carry(self.network, pictures, snr_db, noise, unit), pictures)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.average.update(self.network)
        return loss.item()

    @torch.inference_mode()
    def validation_psnr_db(self) -> float:
        """Mean PSNR of held-out pictures over AWGN, all lengths and three SNRs; the same noise on every call."""
        generator = torch.Generator().manual_seed(0)
        pictures = to_unit_range(self.held_out[:_JUDGED]).to(self.device)
        found = []
        for k in self.network.lengths:
            for value in VALIDATION_DB:
                snr_db = torch.full((len(pictures), 1), value)
                unit = torch.randn(len(pictures), k, generator=generator).to(self.device)
                decoded = carry(self.average.module, pictures, snr_db, 10 ** (-snr_db / 10), unit)
                error = (decoded.clamp(0, 1) - pictures).square().mean(dim=(1, 2, 3))
                found.append(float(-10 * error.log10().mean()))
        return float(np.mean(found))

    def save(self, path: Path) -> None:
        """Write a checkpoint."""
        parts = {name: part.state_dict() for name, part in self._parts().items()}
        save_checkpoint(parts | {"curves": self.history.curves}, path)

    def restore(self, path: Path) -> None:
        """Go on from a checkpoint, where there is one."""
        if (state := load_checkpoint(path)) is not None:
            for name, part in self._parts().items():
                part.load_state_dict(state[name])
            self.history = History(state["curves"])

    def _parts(self) -> dict[str, Any]:
        return {"network": self.network, "optimizer": self.optimizer, "average": self.average}


def draw_channels(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Average SNR in dB, and noise power after zero forcing: [count, 1] each; every second burst has faded."""
    snr_db = LOWEST_DB + (HIGHEST_DB - LOWEST_DB) * torch.rand(count, 1, generator=generator)
    gain = torch.empty(count, 1).exponential_(generator=generator).clamp_min(LEAST_GAIN)
    gain[::2] = 1
    return snr_db, 10 ** (-snr_db / 10) / gain


def carry(network: JsccNetwork, pictures: Tensor, snr_db: Tensor, noise: Tensor, unit: Tensor) -> Tensor:
    """What arrives of pictures [B, 3, 32, 32]. snr_db: as the sender is told, noise: power, [B, 1]; unit: [B, k]."""
    snr_db, noise = snr_db.to(pictures.device), noise.to(pictures.device)
    z = network.encode(pictures, reliability_of(snr_db), unit.shape[1])
    return network.decode(z + noise.sqrt() * unit, noise)


def train_jscc(settings: JsccTraining) -> JsccTrainer:
    """Train a codec, or finish a run that was killed; write weights, curves and model card."""
    use_threads(settings.threads)
    torch.manual_seed(settings.seed)
    kind = codec_class(settings.codec)
    if not issubclass(kind, JsccCodec):
        raise InvalidSetting(f"codec {settings.codec} has no network to train")
    pixels, network = read_cifar100(settings.data, "train").pixels, kind.network_class()
    start_as_linear_code(network, pixels)
    trainer = JsccTrainer(network, pixels, settings)
    checkpoint, console = settings.runs / "checkpoint.pt", Console(stderr=True)
    trainer.restore(checkpoint)
    spent: Spent | None = None
    while trainer.rounds < settings.rounds and not trainer.history.stale(settings.patience):
        row, spent = _round(trainer, console)
        if row["validation_psnr_db"] > trainer.history.best_db:
            export_jscc(settings.codec, trainer.average.module, settings.out)
        trainer.history.curves.append(row)
        trainer.save(checkpoint)
        write_curves(settings.runs / "curves.csv", trainer.history.curves)
    say_last(console, settings.codec, spent)
    pictures = trainer.rounds * settings.steps * settings.batch_size
    write_jscc_card(
        kind,
        settings.out,
        settings.runs,
        settings.data,
        curves=trainer.history.curves,
        pictures=pictures,
        seed=settings.seed,
    )
    return trainer


def _round(trainer: JsccTrainer, console: Console) -> tuple[dict[str, float], Spent]:
    with spent_on(trainer.device) as spent:
        with Progress(console=console, transient=True) as progress:
            loss = trainer.run_round(progress)
        psnr_db = trainer.validation_psnr_db()
    row = {"round": trainer.rounds + 1, "loss": loss, "validation_psnr_db": psnr_db, **spent.row}
    console.print(*(f"{name} {value:.4g}" for name, value in row.items()), soft_wrap=True)
    return row, spent


def main(
    codec: Annotated[str, typer.Argument(help="deepjscc or swinjscc.")],
    data: Annotated[Path, typer.Option(help="Folder with CIFAR-100 in the official lay-out.")],
    *,
    rounds: Annotated[int, typer.Option(min=1, help="Of 200 batches; more continue a finished run.")] = (
        JsccTraining.rounds
    ),
    seed: Annotated[int, typer.Option(help="Seed of weights, order and noise.")] = JsccTraining.seed,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = JsccTraining.device,
    threads: Annotated[int | None, typer.Option(min=1, help="Processor threads; torch's choice by default.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for weights and card; assets/CODEC by default.")] = None,
    runs: Annotated[Path | None, typer.Option(help="Folder for checkpoint and curves; runs/CODEC by default.")] = None,
) -> None:
    """Train a codec of pictures on CIFAR-100's train split."""
    out, runs = out or Path("assets") / codec, runs or Path("runs") / codec
    train_jscc(JsccTraining(codec, data, out, runs, rounds, seed=seed, device=device, threads=threads))


if __name__ == "__main__":
    typer.run(main)
