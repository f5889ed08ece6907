"""Trains the codec `kbsc` by the recipe of arXiv 2504.01053.

    e --encode--> x --+ n--> y --decode--> e_hat,    loss = |e_hat - e|^2 / 512

Adam at 1e-4, batches of 128, up to 100 epochs, one SNR for each batch, early stop after 20 epochs without a better
retrieval. Power is one per burst, noise is complex with N0 per symbol, and the receiver is told neither scale nor SNR.

Run `python -m lab.train_kbsc --data DIR`.
"""

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from rich.console import Console
from rich.progress import Progress
from torch import Tensor, nn

from lab.codec_card import write_codec_card
from lab.codec_data import CodecData, Embeddings, LabelledEmbeddings, load_codec_data
from lab.export import export_codec
from lab.features import CLIP_TINY, ClipChoice, load_choice
from lab.options import ClipModel, ClipWeights, Data, Device, Drawn, Features
from lab.semantics import semantic_accuracy
from shared.clip import Clip
from shared.codecs.kbsc import KbscNetwork
from shared.device import resolve_device
from shared.units import n0_from_snr_db

TRAINING_SNRS_DB = (-7.0, -4.0, 0.0, 4.0, 7.0, 10.0)
NO_CHANNEL_DB = math.inf

_ASKING, _ANSWERING = 1500, 3000  # of the validation parts after each epoch: a standard error of half a percent will do

Row = dict[str, float | str]


@dataclass(frozen=True)
class KbscTraining:
    """Settings of a run; the numbers are the paper's."""

    data: str
    clip: ClipChoice = CLIP_TINY
    drawn: bool = True
    lengths: tuple[int, ...] = (16, 64, 256)
    out: Path = Path("assets/kbsc")
    runs: Path = Path("runs/kbsc")
    features: Path = Path("runs/kbsc")
    epochs: int = 100
    patience: int = 20
    batch_size: int = 128
    lr: float = 1e-4
    seed: int = 1
    device: str = "auto"


def awgn(x: Tensor, snr_db: float) -> Tensor:
    """Add noise, y = x + n, n ~ CN(0, N0) with N0 = 10^(-snr_db / 10), to symbols [B, n], complex64, of unit power."""
    n0 = n0_from_snr_db(snr_db)
    return x + torch.randn_like(x) * math.sqrt(n0)


Carry = Callable[[KbscNetwork, Tensor, float], Tensor]
"""What arrives of embeddings [B, 512] at an SNR in dB, through a network and a channel: [B, 512]."""


def over_awgn(network: KbscNetwork, embeddings: Tensor, snr_db: float) -> Tensor:
    """Carry as a real link does: one power for each burst, nothing told to the receiver."""
    return network.decode(awgn(network.encode(embeddings), snr_db))


def train_network(
    k: int, data: CodecData, settings: KbscTraining, progress: Progress, carry: Carry = over_awgn
) -> tuple[KbscNetwork, int]:
    """Train one length; gives the network of the best epoch and that epoch's number."""
    torch.manual_seed(settings.seed)
    device = resolve_device(settings.device)
    network = KbscNetwork(k).to(device)
    optimizer = torch.optim.Adam(network.parameters(), lr=settings.lr, fused=True)
    train = torch.from_numpy(data.train).to(device)
    asking, answering = _first(data.sender, _ASKING), _first(data.kb, _ANSWERING)
    best, best_epoch, best_state = -1.0, 0, network.state_dict()
    task = progress.add_task(f"kbsc k = {k}", total=settings.epochs)
    for epoch in range(1, settings.epochs + 1):
        _train_epoch(network, optimizer, train, settings.batch_size, carry)
        accuracy = float(np.mean([retrieval(network, asking, answering, snr_db, carry) for snr_db in TRAINING_SNRS_DB]))
        progress.update(task, advance=1, description=f"kbsc k = {k}, validation {accuracy:.3f}")
        if accuracy > best:
            best, best_epoch, best_state = accuracy, epoch, copy.deepcopy(network.state_dict())
        if epoch - best_epoch >= settings.patience:
            break
    network.load_state_dict(best_state)
    return network.eval(), best_epoch


def _first(whole: LabelledEmbeddings, count: int) -> LabelledEmbeddings:
    return LabelledEmbeddings(whole.embeddings[:count], whole.labels[:count])


def _train_epoch(
    network: KbscNetwork, optimizer: torch.optim.Optimizer, train: Tensor, batch_size: int, carry: Carry
) -> None:
    network.train()
    for members in torch.split(torch.randperm(len(train)), batch_size):
        if len(members) < 2:  # batch norm has no variance of one
            continue
        embeddings = train[members.to(train.device)]
        snr_db = TRAINING_SNRS_DB[int(torch.randint(len(TRAINING_SNRS_DB), ()))]
        optimizer.zero_grad(set_to_none=True)
        nn.functional.mse_loss(carry(network, embeddings, snr_db), embeddings).backward()  # type: ignore[no-untyped-call]
        optimizer.step()


@torch.inference_mode()
def through_channel(
    network: KbscNetwork, embeddings: Embeddings, snr_db: float, carry: Carry = over_awgn
) -> Embeddings:
    """What arrives of embeddings [N, 512]; the same noise on every call, so that epochs compare."""
    device = next(network.parameters()).device
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(0)
        arrived: Embeddings = carry(network.eval(), torch.from_numpy(embeddings).to(device), snr_db).cpu().numpy()
    return arrived


def retrieval(
    network: KbscNetwork, sender: LabelledEmbeddings, kb: LabelledEmbeddings, snr_db: float, carry: Carry = over_awgn
) -> float:
    """Semantic accuracy of 1-nearest-neighbour retrieval through the channel; infinity is no noise."""
    arrived = through_channel(network, sender.embeddings, snr_db, carry)
    return semantic_accuracy(arrived, sender.labels, kb.embeddings, kb.labels)


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
    count = lambda done: progress.advance(task, done)  # noqa: E731
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
