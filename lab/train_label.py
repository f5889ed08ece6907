"""Trains the codec `label`: a spherical code of one word for each category, for each length alone.

    word(c) + n --> cross-entropy of c,    SNR uniform over the range in which that length errs

Run `python -m lab.train_label --data DIR`.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.progress import Progress
from torch import Tensor
from torch.nn import functional as F

from lab.codec_data import LabelledEmbeddings, load_codec_data
from lab.export import export_label
from lab.features import CLIP_TINY, ClipChoice, load_choice
from lab.nested_source import fit_source
from lab.options import ClipModel, ClipWeights, Data, Device, Drawn, Features
from lab.tables import hardware
from shared.codecs.label import Label
from shared.device import resolve_device
from shared.units import n0_from_snr_db

_RANGE_DB = 8.0
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

    semlink train label --data DIR        (or python -m lab.train_label --data DIR)

Seed {seed}; {minutes:.0f} minutes in all on {hardware}.
"""


@dataclass(frozen=True)
class LabelTraining:
    """Settings of a run."""

    data: str
    clip: ClipChoice = CLIP_TINY
    drawn: bool = True
    out: Path = Path("assets/label")
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
        words = {k: train_words(k, collections, settings, progress) for k in Label.lengths}
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


def train_words(k: int, collections: Tensor, settings: LabelTraining, progress: Progress) -> Tensor:
    """Code words [C, k] of unit mean power. collections: [C], as in `lab.nested_code.Material`."""
    device = resolve_device(settings.device)
    generator = torch.Generator().manual_seed(settings.seed)
    directions = torch.randn(len(collections), k, generator=generator).to(device).requires_grad_()
    prior = torch.where(collections[:, None] == collections[None, :], 0.0, -30.0).to(device)
    optimizer = torch.optim.Adam([directions], 0.02)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.steps)
    for _ in progress.track(range(settings.steps), description=f"label k = {k}"):
        sent = torch.randint(len(collections), (settings.batch_size,), generator=generator).to(device)
        snr_db = _MIDDLE_DB[k] + _RANGE_DB * (float(torch.rand((), generator=generator)) - 0.5)
        n0 = n0_from_snr_db(snr_db)
        noise = torch.randn(settings.batch_size, k, generator=generator).to(device)
        words = F.normalize(directions, dim=1) * k**0.5
        y = words[sent] + n0**0.5 * noise
        loss = F.cross_entropy(y @ words.T / n0 + prior[sent], sent)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    found: Tensor = F.normalize(directions.detach(), dim=1).cpu() * k**0.5
    return found


def main(
    data: Data,
    *,
    clip: ClipModel = "clip-tiny",
    weights: ClipWeights = None,
    drawn: Drawn = LabelTraining.drawn,
    seed: Annotated[int, typer.Option(help="Seed of words, order and noise.")] = LabelTraining.seed,
    device: Device = LabelTraining.device,
    out: Annotated[Path, typer.Option(help="Folder for the tables.")] = LabelTraining.out,
    features: Features = LabelTraining.features,
) -> None:
    """Train the codec label, the plain digital competitor, on the embeddings of a CLIP."""
    choice = ClipChoice(clip, weights)
    train_label(LabelTraining(data, choice, drawn, out, features, seed=seed, device=device))


if __name__ == "__main__":
    typer.run(main)
