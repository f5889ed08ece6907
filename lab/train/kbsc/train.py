"""Trains the codec `kbsc` by the recipe of arXiv 2504.01053.

    e --encode--> x --+ n--> y --decode--> e_hat,    loss = |e_hat - e|^2 / 512

Adam at 1e-4, batches of 128, up to 100 epochs, one SNR for each batch, early stop after 20 epochs without a better
retrieval. Power is one per burst, noise is complex with N0 per symbol, and the receiver is told neither scale nor SNR.

Run `python -m lab.train.kbsc.train --data DIR`. A run that was killed goes on from its last finished epoch.
"""

import math
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from lab.data.codec_data import CodecData, LabelledEmbeddings, load_codec_data
from lab.data.features import ClipChoice, load_choice
from lab.evaluate.metrics import semantic_accuracy
from lab.train.common.codec_card import write_codec_card
from lab.train.common.curves import say_last
from lab.train.common.export import export_codec
from lab.train.common.options import ClipModel, ClipWeights, Data, Device, Drawn, Features
from lab.train.kbsc.trainer import TRAINING_SNRS_DB, Carry, KbscTrainer, KbscTraining, over_awgn, retrieval
from shared.clip import Clip
from shared.codecs.embedding.kbsc import KbscNetwork

NO_CHANNEL_DB = math.inf

Row = dict[str, float | str]


def train_network(  # noqa: PLR0917 - two that nearly nobody names
    k: int,
    data: CodecData,
    settings: KbscTraining,
    progress: Progress,
    carry: Carry = over_awgn,
    title: str = "kbsc",
) -> tuple[KbscNetwork, int]:
    """Train one length, or finish a run that was killed; gives the network of the best epoch and that epoch's number.

    title: what it is called in `runs`, where checkpoint and curves lie
    """
    name = f"{title} k = {k}"
    stem = f"{title}-k{k}-seed{settings.seed}-{data.fingerprint}"
    trainer = KbscTrainer(k, data, settings, settings.runs / f"{stem}.csv", carry)
    trainer.restore(settings.runs / f"{stem}.pt")
    task = progress.add_task(name, total=settings.epochs, completed=len(trainer.curves.rows))
    while not trainer.done:
        accuracy = trainer.run_epoch()
        trainer.save(settings.runs / f"{stem}.pt")
        progress.update(task, advance=1, description=f"{name}, validation {accuracy:.3f}")
    say_last(progress.console, name, trainer.curves.last)
    return trainer.finished()


def train_kbsc(settings: KbscTraining, note: str = "") -> list[Row]:
    """Train all lengths, write their weights and the model card; gives the card's rows."""
    started = time.monotonic()
    console = Console(stderr=True)
    clip = load_choice(settings.clip, settings.device)
    rows: list[Row] = []
    with Progress(console=console) as progress:
        data = _embedded(clip, settings, progress)
        for k in settings.lengths:
            network, epoch = train_network(k, data, settings, progress)
            export_codec("kbsc", k, network, settings.out, clip.fingerprint)
            rows += [_measure(network, epoch, name, *test) for name, test in data.tests.items()]
            console.print(rows[-len(data.tests) :])
    seconds = time.monotonic() - started
    write_codec_card(settings.out, rows, data.describe(clip), seed=settings.seed, seconds=seconds, note=note)
    return rows


def _embedded(clip: Clip, settings: KbscTraining, progress: Progress) -> CodecData:
    task = progress.add_task("embedding pictures", total=None)
    count = lambda done, total: progress.update(task, completed=done, total=total)  # noqa: E731
    data = load_codec_data(clip, settings.data, settings.features, settings.seed, drawn=settings.drawn, progress=count)
    progress.remove_task(task)
    return data


def _measure(network: KbscNetwork, epoch: int, name: str, query: LabelledEmbeddings, kb: LabelledEmbeddings) -> Row:
    row: Row = {"k": network.k, "set": name, "best epoch": epoch}
    row |= {_column(snr_db): retrieval(network, query, kb, snr_db) for snr_db in (*TRAINING_SNRS_DB, NO_CHANNEL_DB)}
    return row | {"raw": semantic_accuracy(query.embeddings, query.labels, kb.embeddings, kb.labels)}


def _column(snr_db: float) -> str:
    return "no channel" if snr_db == NO_CHANNEL_DB else f"{snr_db:g} dB"


def main(
    data: Data,
    *,
    clip: ClipModel = "clip-tiny",
    weights: ClipWeights = None,
    drawn: Drawn = KbscTraining.drawn,
    seed: Annotated[int, typer.Option(help="Seed of weights, order and noise.")] = KbscTraining.seed,
    device: Device = KbscTraining.device,
    out: Annotated[Path, typer.Option(help="Folder for weights and model card.")] = KbscTraining.out,
    runs: Annotated[Path, typer.Option(help="Folder for checkpoints and curves.")] = KbscTraining.runs,
    features: Features = KbscTraining.features,
) -> None:
    """Train the codec kbsc at k = 16, 64 and 256 on the embeddings of a CLIP."""
    choice = ClipChoice(clip, weights)
    train_kbsc(KbscTraining(data, choice, drawn, out=out, runs=runs, features=features, seed=seed, device=device))


if __name__ == "__main__":
    typer.run(main)
