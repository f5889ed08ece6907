"""`kbsc` in its authors' own conventions (arXiv 2504.01053, code Linkcy97/KBSC), to reproduce the paper.

    z [B, k], the whole batch --unit power over the batch--> pairs (z_i, z_{i + Bk/2}) as I + jQ --h x + n--> z_hat

Four liberties that a real link cannot take: power is averaged over the batch; I and Q of a symbol come from two
pictures; the receiver is told the scale; "Rayleigh" is a real, non-negative gain for each symbol, without a phase.

Run `python -m lab.train.kbsc.authors --data DIR` to train the networks.
"""

import math
import time
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import torch
import typer
from rich.console import Console
from rich.progress import Progress
from torch import Tensor

from lab.data.codec_data import load_codec_data
from lab.data.features import ClipChoice, load_choice
from lab.report.cards import hardware, markdown_table
from lab.train.common.export import export_codec
from lab.train.common.options import ClipModel, ClipWeights, Data, Device, Drawn, Features
from lab.train.kbsc.train import train_network
from lab.train.kbsc.trainer import TRAINING_SNRS_DB, Carry, KbscTraining, retrieval
from shared.codecs.embedding.kbsc import KbscNetwork
from shared.units import n0_from_snr_db

AuthorsFading = Literal["none", "kbsc"]
FOLDERS: Final[dict[AuthorsFading, str]] = {"none": "awgn", "kbsc": "rayleigh"}


def to_air(z: Tensor) -> tuple[Tensor, Tensor]:
    """Symbols [B, k/2], complex64, of latents [B, k] of a whole batch, and the scale that makes E|x|^2 = 1 over it.

    The first half of all values becomes I, the second half Q.
    """
    scale = (2 * z.square().mean()).sqrt()
    halves = (z / scale).reshape(2, -1)
    return torch.complex(halves[0], halves[1]).reshape(len(z), -1), scale


def from_air(y: Tensor, scale: Tensor) -> Tensor:
    """Latents [B, k] of received symbols [B, k/2], with the scale that the receiver is told."""
    return torch.cat([y.real.flatten(), y.imag.flatten()]).reshape(len(y), -1) * scale


def carry_over(fading: AuthorsFading) -> Carry:
    """The authors' channel for training: y = h x + n, h = 1 or |CN(0, 1)| for each symbol."""

    def carry(network: KbscNetwork, embeddings: Tensor, snr_db: float) -> Tensor:
        x, scale = to_air(network.encoder(embeddings))
        gain = torch.randn_like(x).abs() if fading == "kbsc" else 1.0
        y = gain * x + torch.randn_like(x) * math.sqrt(n0_from_snr_db(snr_db))
        decoded: Tensor = network.decoder(from_air(y, scale))
        return decoded

    return carry


_CARD = """# kbsc-authors

The network of `kbsc` in its authors' own channel conventions: power averaged over a batch, I and Q of a symbol from two
pictures, the scale told to the receiver, and for `rayleigh` a real gain for each symbol. No real link can do that, so
this is for the laboratory alone (`semlink evaluate`), under a name of its own and with its genies in every row.

Trained by the same recipe as `assets/kbsc`, by the same split. {learned} Semantic accuracy
of the parts `query` and `kb` of {name}, each in its own channel:

{table}

## How it was made

    python -m lab.train.kbsc.authors --data DIR

Seed {seed}; {minutes:.0f} minutes in all on {hardware}.
"""


def train_authors(settings: KbscTraining) -> None:
    """Train every length for both of the authors' channels, and write weights and card."""
    started, console = time.monotonic(), Console(stderr=True)
    clip = load_choice(settings.clip, settings.device)
    data = load_codec_data(clip, settings.data, settings.features, settings.seed, drawn=settings.drawn)
    name, test = next(iter(data.tests.items()))
    rows: list[dict[str, Any]] = []
    with Progress(console=console) as progress:
        for fading, folder in FOLDERS.items():
            for k in settings.lengths:
                carry = carry_over(fading)
                network, epoch = train_network(k, data, settings, progress, carry, f"kbsc-authors-{folder}")
                export_codec("kbsc", k, network, settings.out / folder, clip.fingerprint)
                found = [retrieval(network, *test, snr_db, carry) for snr_db in TRAINING_SNRS_DB]
                named = {f"{snr_db:g} dB": value for snr_db, value in zip(TRAINING_SNRS_DB, found, strict=True)}
                rows.append({"channel": folder, "k": k, "best epoch": epoch, **named})
                console.print(rows[-1])
    card = _CARD.format(
        learned=data.describe(clip),
        name=name,
        table=markdown_table(rows),
        seed=settings.seed,
        minutes=(time.monotonic() - started) / 60,
        hardware=hardware(),
    )
    (settings.out / "README.md").write_text(card)


def main(
    data: Data,
    *,
    clip: ClipModel = "clip-tiny",
    weights: ClipWeights = None,
    drawn: Drawn = KbscTraining.drawn,
    seed: Annotated[int, typer.Option(help="Seed of weights, order and noise.")] = KbscTraining.seed,
    device: Device = KbscTraining.device,
    out: Annotated[Path, typer.Option(help="Folder for weights and model card.")] = Path("assets/kbsc-authors"),
    runs: Annotated[Path, typer.Option(help="Folder for checkpoints and curves.")] = Path("runs/kbsc-authors"),
    features: Features = KbscTraining.features,
) -> None:
    """Train kbsc in its authors' conventions at k = 16, 64 and 256."""
    choice = ClipChoice(clip, weights)
    train_authors(KbscTraining(data, choice, drawn, out=out, runs=runs, features=features, seed=seed, device=device))


if __name__ == "__main__":
    typer.run(main)
