"""Trains the codec `label`: a spherical code of one word for each category, for each length alone.

    word(c) + n --> cross-entropy of c,    SNR uniform over the range in which that length errs

Run `python -m lab.train.label.train --data DIR`.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.progress import Progress
from torch import Tensor
from torch.nn import functional as F

from lab.data.codec_data import LabelledEmbeddings, load_codec_data
from lab.data.features import CLIP_TINY, ClipChoice, load_choice
from lab.report.cards import hardware
from lab.train.common.checkpoint import load_checkpoint, save_checkpoint
from lab.train.common.curves import Curves, say_last
from lab.train.common.export import export_label
from lab.train.common.options import ClipModel, ClipWeights, Data, Device, Drawn, Features
from lab.train.nested.source import fit_source
from shared.codecs.embedding.label import Label
from shared.device import resolve_device
from shared.units import n0_from_snr_db

_RANGE_DB = 8.0
_EPOCH = 250  # steps of one line of the curves
_MIDDLE_DB = {8: 2.0, 16: -1.0, 32: -4.0, 64: -6.0, 128: -8.0, 256: -10.0}
"""Where a good code of 100 or 200 words goes from hardly ever right to nearly always."""


_CARD = """# label

The plain digital competitor: the number of the category and nothing else. A softmax regression on the embedding names
one of {count} categories, a spherical code of k = 8, 16, 32, 64, 128 or 256 real dimensions carries the number, the
receiver takes the likeliest. Each length has words of its own, trained for it alone by cross-entropy over AWGN.
Categories of different collections are kept apart only from their like: a receiver knows from its knowledge base which
it has. Classifier and prototypes are those of `nested`. `semlink evaluate` measures it beside `nested` and the limit.

{learned}

`tables.safetensors`: matrices in float16, vectors in float32; metadata `codec`, `clip_fingerprint`, `command`.

## How it was made

    semlink train label --data DIR        (or python -m lab.train.label.train --data DIR)

Seed {seed}; {minutes:.0f} minutes in all on {hardware}.
"""


@dataclass(frozen=True)
class LabelTraining:
    """Settings of a run."""

    data: str
    clip: ClipChoice = CLIP_TINY
    drawn: bool = True
    out: Path = Path("assets/label")
    runs: Path = Path("runs/label")
    features: Path = Path("runs/kbsc")
    steps: int = 2500
    batch_size: int = 800
    seed: int = 1
    device: str = "auto"


def train_label(settings: LabelTraining) -> None:
    """Train the code of each length and write the tables."""
    started = time.monotonic()
    clip = load_choice(settings.clip, settings.device)
    with Progress(console=Console(stderr=True)) as progress:
        data = load_codec_data(clip, settings.data, settings.features, settings.seed, drawn=settings.drawn)
        train = LabelledEmbeddings(data.train, data.train_labels)
        source = fit_source(train, data.sender.embeddings, 1, settings.seed)
        collections = torch.from_numpy(data.collections)
        words = {k: _trained_words(k, collections, data.fingerprint, settings, progress) for k in Label.lengths}
    tables = {"weight": source.weight, "bias": source.bias, "prototypes": source.prototypes}
    export_label(tables | {f"words_{k}": word for k, word in words.items()}, settings.out, clip.fingerprint)
    minutes = (time.monotonic() - started) / 60
    card = _CARD.format(
        learned=data.describe(clip),
        count=len(data.collections),
        seed=settings.seed,
        minutes=minutes,
        hardware=hardware(),
    )
    (settings.out / "README.md").write_text(card)


def _trained_words(
    k: int, collections: Tensor, fingerprint: str, settings: LabelTraining, progress: Progress
) -> Tensor:
    """Words of a length, or those that a run which was cut short has finished."""
    path = settings.runs / f"k{k}-seed{settings.seed}-steps{settings.steps}-{fingerprint}.pt"
    if (state := load_checkpoint(path)) is None:
        state = {"words": train_words(k, collections, settings, progress)}
        save_checkpoint(state, path)
    words: Tensor = state["words"]
    return words


def train_words(k: int, collections: Tensor, settings: LabelTraining, progress: Progress) -> Tensor:
    """Code words [C, k] of unit mean power. collections: [C], as in `lab.train.nested.code.Material`."""
    device = resolve_device(settings.device)
    trainer, curves = WordTrainer(k, collections.to(device), settings), Curves(settings.runs / f"k{k}.csv", device)
    task = progress.add_task(f"label k = {k}", total=settings.steps)
    for start in range(0, settings.steps, _EPOCH):
        steps = range(start, min(start + _EPOCH, settings.steps))
        with curves.epoch() as row:
            row["loss"] = fmean(trainer.step() for _ in steps)
        progress.advance(task, len(steps))
    say_last(progress.console, f"label k = {k}", curves.last)
    return trainer.words().detach().cpu()


class WordTrainer:
    """Words of one length on their way. Arguments as those of `train_words`."""

    def __init__(self, k: int, collections: Tensor, settings: LabelTraining) -> None:
        self._generator = torch.Generator().manual_seed(settings.seed)
        drawn = torch.randn(len(collections), k, generator=self._generator)
        self._directions = drawn.to(collections.device).requires_grad_()
        self._prior = torch.where(collections[:, None] == collections[None, :], 0.0, -30.0)
        self._optimizer = torch.optim.Adam([self._directions], 0.02)
        self._schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self._optimizer, settings.steps)
        self._batch_size = settings.batch_size

    def words(self) -> Tensor:
        """The words as they are now: [C, k]."""
        words: Tensor = F.normalize(self._directions, dim=1) * self._directions.shape[1] ** 0.5
        return words

    def step(self) -> float:
        """Send a batch of categories at one SNR, and learn from what arrives; gives the loss."""
        (count, k), device = self._directions.shape, self._directions.device
        sent = torch.randint(count, (self._batch_size,), generator=self._generator).to(device)
        snr_db = _MIDDLE_DB[k] + _RANGE_DB * (float(torch.rand((), generator=self._generator)) - 0.5)
        n0 = n0_from_snr_db(snr_db)
        noise = torch.randn(self._batch_size, k, generator=self._generator).to(device)
        words = self.words()
        y = words[sent] + n0**0.5 * noise
        loss = F.cross_entropy(y @ words.T / n0 + self._prior[sent], sent)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        self._schedule.step()
        return loss.item()


def main(
    data: Data,
    *,
    clip: ClipModel = "clip-tiny",
    weights: ClipWeights = None,
    drawn: Drawn = LabelTraining.drawn,
    seed: Annotated[int, typer.Option(help="Seed of words, order and noise.")] = LabelTraining.seed,
    device: Device = LabelTraining.device,
    out: Annotated[Path, typer.Option(help="Folder for the tables.")] = LabelTraining.out,
    runs: Annotated[Path, typer.Option(help="Folder for checkpoints and curves.")] = LabelTraining.runs,
    features: Features = LabelTraining.features,
) -> None:
    """Train the codec label, the plain digital competitor, on the embeddings of a CLIP."""
    choice = ClipChoice(clip, weights)
    train_label(LabelTraining(data, choice, drawn, out, runs, features, seed=seed, device=device))


if __name__ == "__main__":
    typer.run(main)
