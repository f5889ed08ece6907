"""Trains the codec `nested`: first what embeddings look like, then words and gains through the channel.

Categories are the labels of the train split, or, with `--unlabelled`, clusters that k-means finds in its embeddings.

Run `python -m lab.train.nested.train --data DIR`.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from rich.console import Console
from rich.progress import Progress

from lab.data.codec_data import CodecData, LabelledEmbeddings, load_codec_data
from lab.data.features import CLIP_TINY, ClipChoice, load_choice
from lab.train.common.checkpoint import load_checkpoint, save_checkpoint
from lab.train.common.curves import say_last, write_curves
from lab.train.common.export import export_nested
from lab.train.common.options import ClipModel, ClipWeights, Data, Device, Drawn, Features
from lab.train.nested.card import measure_nested, write_nested_card
from lab.train.nested.code import OPERATING_POINTS_DB, CodeTrainer, Material
from lab.train.nested.source import Source, find_clusters, fit_source
from shared.codecs.embedding.nested import Nested, NestedUnlabelled
from shared.codecs.embedding.nested_model import NestedModel
from shared.device import resolve_device
from shared.errors import InvalidSetting


@dataclass(frozen=True)
class NestedTraining:
    """Settings of a run. clusters: how many to find instead of labels, 0 to take the labels. axes: of a category."""

    data: str
    clip: ClipChoice = CLIP_TINY
    drawn: bool = True
    out: Path = Path("assets") / Nested.name
    runs: Path = Path("runs/nested")
    features: Path = Path("runs/kbsc")
    clusters: int = 0
    axes: int = 64
    rounds: int = 15
    steps: int = 200
    batch_size: int = 512
    seed: int = 1
    device: str = "auto"


def train_nested(settings: NestedTraining) -> list[dict[str, Any]]:
    """Train, write weights and model card; gives the card's rows. A run that was cut short goes on where it was."""
    started = time.monotonic()
    clip = load_choice(settings.clip, settings.device)
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("embedding pictures", total=None)
        count = lambda done, total: progress.update(task, completed=done, total=total)  # noqa: E731
        data = load_codec_data(
            clip, settings.data, settings.features, settings.seed, drawn=settings.drawn, progress=count
        )
        progress.remove_task(task)
        model = fit_model(data, settings, progress)
    export_nested(model, settings.out, clip.fingerprint, settings.clusters)
    seconds = time.monotonic() - started
    rows = [row for name, test in data.tests.items() for row in measure_nested(_codecs(model), name, *test)]
    write_nested_card(
        settings.out,
        rows,
        learned=data.describe(clip),
        seed=settings.seed,
        seconds=seconds,
        clusters=settings.clusters,
    )
    return rows


def fit_model(data: CodecData, settings: NestedTraining, progress: Progress) -> NestedModel:
    """Fit source and code to embeddings of any width; early stopping looks at the validation senders."""
    task = progress.add_task("nested: categories and axes", total=settings.rounds)
    train, collections = _categories(data, settings)
    source = fit_source(train, data.sender.embeddings, settings.axes, settings.seed)
    trainer = CodeTrainer(
        _material(source, data.train, collections, settings.device),
        _material(source, data.sender.embeddings, collections, settings.device),
        rounds=settings.rounds,
        steps=settings.steps,
        batch=settings.batch_size,
        seed=settings.seed,
    )
    path = settings.runs / f"{_name(settings)}-{data.fingerprint}.pt"
    if (state := load_checkpoint(path)) is not None:
        trainer.load_state_dict(state)
    progress.update(task, completed=trainer.progress.round)

    def report(loss: float) -> None:
        progress.update(task, advance=1, description=f"nested: words and gains, validation {loss:.3f}")

    def save(state: dict[str, Any]) -> None:
        save_checkpoint(state, path)
        write_curves(path.with_suffix(".csv"), trainer.progress.curves)

    trainer.run(save, report)
    say_last(progress.console, "nested", trainer.spent)
    return _assemble(source, trainer)


def _categories(data: CodecData, settings: NestedTraining) -> tuple[LabelledEmbeddings, torch.Tensor]:
    """What to learn from, and which categories come together; without labels all do."""
    if not settings.clusters:
        return LabelledEmbeddings(data.train, data.train_labels), torch.from_numpy(data.collections)
    if settings.clusters < 2:
        raise InvalidSetting(f"clusters = {settings.clusters}: find at least 2, or 0 to take the labels")
    found = find_clusters(data.train, settings.clusters, settings.seed)
    return LabelledEmbeddings(data.train, found), torch.zeros(settings.clusters, dtype=torch.int64)


def _material(source: Source, embeddings: "np.ndarray[Any, Any]", collections: torch.Tensor, device: str) -> Material:
    x = torch.from_numpy(embeddings)
    categories = source.categorize(x)
    parts = (categories, source.coordinates(x, categories), source.axes.square().sum(dim=1).sqrt(), collections)
    return Material(*(part.to(resolve_device(device)) for part in parts))


def _name(settings: NestedTraining) -> str:
    """Of a run: all that decides about its result, but for the data."""
    kind = f"{settings.clusters}-clusters" if settings.clusters else "labels"
    numbers = (settings.axes, settings.rounds, settings.steps, settings.batch_size, settings.seed)
    return "-".join([kind, *map(str, numbers)])


@torch.no_grad()
def _assemble(source: Source, trainer: CodeTrainer) -> NestedModel:
    code = trainer.code
    words = torch.stack([code.words(point) for point in range(len(OPERATING_POINTS_DB))])
    points_db = torch.tensor(OPERATING_POINTS_DB)
    return NestedModel(**vars(source), points_db=points_db, words=words.cpu(), gains=code.gains.detach().cpu())


def _codecs(model: NestedModel) -> list[Nested]:
    return [Nested(model, k, None, "cpu") for k in Nested.lengths]


def main(
    data: Data,
    *,
    unlabelled: Annotated[bool, typer.Option(help="Find clusters instead of using labels.")] = False,
    clusters: Annotated[int, typer.Option(help="How many, with --unlabelled.")] = 200,
    rounds: Annotated[int, typer.Option(help="Rounds of 200 batches.")] = NestedTraining.rounds,
    clip: ClipModel = "clip-tiny",
    weights: ClipWeights = None,
    drawn: Drawn = NestedTraining.drawn,
    seed: Annotated[int, typer.Option(help="Seed of weights, order and noise.")] = NestedTraining.seed,
    device: Device = NestedTraining.device,
    out: Annotated[Path | None, typer.Option(help="Folder for weights and model card, else in assets.")] = None,
    runs: Annotated[Path, typer.Option(help="Folder for checkpoints.")] = NestedTraining.runs,
    features: Features = NestedTraining.features,
) -> None:
    """Train the codec nested, one model for all its lengths, on the embeddings of a CLIP."""
    choice, found = ClipChoice(clip, weights), clusters if unlabelled else 0
    out = out or Path("assets") / (NestedUnlabelled if unlabelled else Nested).name
    settings = NestedTraining(data, choice, drawn, out, runs, features, found, rounds=rounds, seed=seed, device=device)
    train_nested(settings)


if __name__ == "__main__":
    typer.run(main)
