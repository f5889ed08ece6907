"""Trains clip-tiny: pictures and captions of CIFAR-100's train split and of the drawn set, pulled into one space.

    pictures --augment--> image tower --.
                                        +--> contrastive losses --> SGD (image), AdamW (text) --> moving average
    captions --sample---> text tower ---'

Run `python -m lab.train.clip.train --data DIR`. A run that was killed goes on from its last finished epoch.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import open_clip
import torch
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from lab.bench.energy import Spent, spent_on
from lab.data.captions import Captions
from lab.data.clip_data import ClipData
from lab.evaluate.metrics import semantic_accuracy, zero_shot_accuracy
from lab.train.clip.card import write_clip_card
from lab.train.clip.losses import caption_to_picture, picture_to_caption, picture_to_picture
from lab.train.common.checkpoint import load_checkpoint, save_checkpoint
from lab.train.common.curves import say_last, write_curves
from lab.train.common.export import export_clip
from lab.train.common.moving_average import MovingAverage
from shared.clip.preprocess import make_preprocess
from shared.clip.registry import MODEL, register_clip_tiny
from shared.device import resolve_device
from shared.types import Embeddings, Labels, Pixels


@dataclass(frozen=True)
class ClipTraining:
    """Settings of a training run; together with the seed they decide its result."""

    data: Path
    out: Path = Path("assets/clip-tiny")
    runs: Path = Path("runs/clip-tiny")
    epochs: int = 16
    batch_size: int = 512
    drawn_per_epoch: int = 5000
    image_lr: float = 0.35
    text_lr: float = 2e-3
    weight_decay: float = 5e-4
    warmup: float = 0.15  # share of the steps
    small_side: int = 24  # pixels; the first epochs see pictures at this size, at half the cost
    small_share: float = 0.5  # share of the epochs
    smoothing: float = 0.1
    caption_weight: float = 0.25
    picture_weight: float = 0.25
    picture_temperature: float = 0.1
    averaging: float = 0.995
    seed: int = 1
    device: str = "auto"


class Trainer:
    """The state of a run: model, its moving average, optimizers, curves."""

    def __init__(self, settings: ClipTraining) -> None:
        torch.manual_seed(settings.seed)
        register_clip_tiny()
        self.settings = settings
        self.device = resolve_device(settings.device)
        model = open_clip.create_model(MODEL)
        self.data = ClipData(settings.data, make_preprocess(model.visual.preprocess_cfg), settings.drawn_per_epoch)
        self.captions = Captions(self.data.names, open_clip.get_tokenizer(MODEL))
        self.model: Any = model.to(self.device, memory_format=torch.channels_last)
        self.average = MovingAverage(self.model, settings.averaging)
        self.mean = _channels(model.visual.preprocess_cfg["mean"], self.device)
        self.std = _channels(model.visual.preprocess_cfg["std"], self.device)
        self.optimizers = _optimizers(self.model, settings)
        self.schedulers = [_one_cycle(optimizer, settings, self._total_steps()) for optimizer in self.optimizers]
        self.curves: list[dict[str, float]] = []

    def _total_steps(self) -> int:
        return self.settings.epochs * self.data.steps(self.settings.batch_size)

    def restore(self, path: Path) -> None:
        """Go on from a checkpoint, if there is one."""
        state = load_checkpoint(path)
        if state is None:
            return
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        self.curves = state["curves"]

    def save(self, path: Path) -> None:
        """Write everything that the next epoch needs."""
        states = {name: part.state_dict() for name, part in self._parts().items()}
        save_checkpoint(states | {"curves": self.curves}, path)

    def _parts(self) -> dict[str, Any]:
        parts: dict[str, Any] = {"model": self.model, "average": self.average}
        for index, (optimizer, scheduler) in enumerate(zip(self.optimizers, self.schedulers, strict=True)):
            parts |= {f"optimizer{index}": optimizer, f"scheduler{index}": scheduler}
        return parts

    def train_epoch(self, epoch: int, progress: Progress) -> float:
        """One pass over the pictures; gives the mean loss."""
        rng = np.random.default_rng([self.settings.seed, epoch])
        steps = self.data.steps(self.settings.batch_size)
        task = progress.add_task(f"epoch {epoch + 1}/{self.settings.epochs}", total=steps)
        self.model.train()
        side = self.settings.small_side if epoch < self.settings.small_share * self.settings.epochs else None
        losses = []
        for pixels, targets in self.data.epoch(epoch, self.settings.batch_size, rng):
            losses.append(self._step(self._normalised(pixels, side), targets, rng))
            progress.advance(task)
        progress.remove_task(task)
        return float(np.mean(losses))

    def _step(self, images: Tensor, targets: Labels, rng: np.random.Generator) -> float:
        loss = self._loss(images, torch.from_numpy(targets).to(self.device), self.captions.sample(rng).to(self.device))
        loss.backward()  # type: ignore[no-untyped-call]
        for optimizer, scheduler in zip(self.optimizers, self.schedulers, strict=True):
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            scheduler.step()
        self.average.update(self.model)
        return loss.item()

    def _loss(self, pictures: Tensor, targets: Tensor, tokens: Tensor) -> Tensor:
        settings = self.settings
        with torch.autocast(self.device.type, torch.bfloat16):
            features = self.model.encode_image(pictures)
        images = nn.functional.normalize(features.float(), dim=1)
        texts = self.model.encode_text(tokens, normalize=True)
        scale = self.model.logit_scale.exp().clamp(max=100)
        return (
            picture_to_caption(images, texts, targets, scale, settings.smoothing)
            + settings.caption_weight * caption_to_picture(images, texts, targets, scale)
            + settings.picture_weight * picture_to_picture(images, targets, settings.picture_temperature)
        )

    def _normalised(self, pixels: Pixels, side: int | None = None) -> Tensor:
        images = torch.from_numpy(pixels).to(self.device).permute(0, 3, 1, 2)
        images = (images.float() / 255 - self.mean) / self.std
        return images if side is None else nn.functional.interpolate(images, size=side, mode="bilinear", antialias=True)

    @torch.inference_mode()
    def embed(self, pixels: Pixels) -> Embeddings:
        """Embeddings of pictures [N, 32, 32, 3] by the averaged model: [N, 512], float32, L2-normalised."""
        parts = np.array_split(pixels, -(-len(pixels) // 500))
        with torch.autocast(self.device.type, torch.bfloat16):
            features = torch.cat([self.average.module.encode_image(self._normalised(part)) for part in parts])
        embeddings: Embeddings = nn.functional.normalize(features.float(), dim=1).cpu().numpy()
        return embeddings

    @torch.inference_mode()
    def prototypes(self) -> Embeddings:
        """The mean caption of each class: [200, 512], float32, L2-normalised."""
        tokens = self.captions.tokens.to(self.device)
        texts = self.average.module.encode_text(tokens.flatten(0, 1), normalize=True)
        means = nn.functional.normalize(texts.reshape(*tokens.shape[:2], -1).mean(dim=1), dim=1)
        prototypes: Embeddings = means.float().cpu().numpy()
        return prototypes

    def evaluate(self) -> dict[str, float]:
        """The three figures that the model is judged by, on pictures that it never learned from."""
        query, query_labels, kb, kb_labels = cifar = self._embedded(self.data.cifar)
        tests, labels = np.concatenate([query, kb]), np.concatenate([query_labels, kb_labels])
        return {
            "cifar_zero_shot": zero_shot_accuracy(tests, labels, self.prototypes()[: self.data.cifar_classes]),
            "cifar_nearest": semantic_accuracy(*cifar),
            "drawn_nearest": semantic_accuracy(*self._embedded(self.data.drawn)),
        }

    def _embedded(self, part: Callable[[str], tuple[Pixels, Labels]]) -> tuple[Embeddings, Labels, Embeddings, Labels]:
        """Queries with labels, then knowledge base with labels."""
        (query, query_labels), (kb, kb_labels) = part("query"), part("kb")
        return self.embed(query), query_labels, self.embed(kb), kb_labels


def train_clip(settings: ClipTraining, note: str = "") -> dict[str, float]:
    """Train clip-tiny, or finish a run that was killed; write weights, curves and model card; give the last figures."""
    console = Console(stderr=True)
    trainer = Trainer(settings)
    checkpoint = settings.runs / "checkpoint.pt"
    trainer.restore(checkpoint)
    last: Spent | None = None
    for epoch in range(len(trainer.curves), settings.epochs):
        with spent_on(trainer.device) as spent:
            with _progress(console) as progress:
                loss = trainer.train_epoch(epoch, progress)
            judged = trainer.evaluate()
        figures = {"epoch": epoch + 1, "loss": loss, **judged, **spent.row}
        last = spent
        trainer.curves.append(figures)
        trainer.save(checkpoint)
        write_curves(settings.runs / "curves.csv", trainer.curves)
        console.print(*(f"{name} {value:.4g}" for name, value in figures.items()), soft_wrap=True)
        export_clip(trainer.average.module, settings.out, epoch + 1)
    say_last(console, "clip-tiny", last)
    _write_card(trainer, note)
    return trainer.curves[-1]


def _write_card(trainer: Trainer, note: str) -> None:
    settings, model = trainer.settings, trainer.average.module
    total, image = (sum(parameter.numel() for parameter in part.parameters()) for part in (model, model.visual))
    shown = {
        "drawn": settings.drawn_per_epoch,
        "small": math.ceil(settings.small_share * settings.epochs),
        "side": settings.small_side,
        "seed": settings.seed,
    }
    write_clip_card(settings.out, trainer.curves, (image, total - image), shown, note)


def _channels(values: Any, device: torch.device) -> Tensor:
    return torch.tensor(values, device=device).view(1, 3, 1, 1)


def _optimizers(model: nn.Module, settings: ClipTraining) -> list[Optimizer]:
    image = [parameter for name, parameter in model.named_parameters() if name.startswith("visual.")]
    text = [parameter for name, parameter in model.named_parameters() if not name.startswith("visual.")]
    return [
        torch.optim.SGD(image, settings.image_lr, momentum=0.9, weight_decay=settings.weight_decay, nesterov=True),
        torch.optim.AdamW(text, settings.text_lr, weight_decay=0.0),
    ]


def _one_cycle(optimizer: Optimizer, settings: ClipTraining, steps: int) -> LambdaLR:
    """A straight rise over the warm-up, a straight fall to zero at the end."""
    rise = settings.warmup * steps

    def factor(step: int) -> float:
        return min((step + 1) / rise, (steps - step) / (steps - rise)) if step < steps else 0.0

    return LambdaLR(optimizer, factor)


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )


def main(
    data: Annotated[Path, typer.Option(help="Folder with CIFAR-100 in the official lay-out.")],
    *,
    epochs: Annotated[int, typer.Option(help="Passes over the training pictures.")] = ClipTraining.epochs,
    seed: Annotated[int, typer.Option(help="Seed of weights, order and augmentation.")] = ClipTraining.seed,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = ClipTraining.device,
    out: Annotated[Path, typer.Option(help="Folder for weights and model card.")] = ClipTraining.out,
    runs: Annotated[Path, typer.Option(help="Folder for checkpoint and curves.")] = ClipTraining.runs,
) -> None:
    """Train clip-tiny on CIFAR-100's train split and the drawn set."""
    train_clip(ClipTraining(data=data, epochs=epochs, seed=seed, device=device, out=out, runs=runs))


if __name__ == "__main__":
    typer.run(main)
