"""Makes the codec `vq-digital`: learns the words of its quantizer, and simulates which mode serves which SNR best.

Run `python -m lab.train.vq.train --data DIR`.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import numpy as np
import torch
import typer
from rich.console import Console
from rich.progress import Progress
from safetensors.numpy import save_file

from lab.bench.energy import spent_on
from lab.data.codec_data import CodecData, load_codec_data
from lab.data.features import CLIP_TINY, ClipChoice, load_choice
from lab.evaluate.metrics import semantic_accuracy
from lab.report.cards import hardware, markdown_table
from lab.train.common.options import ClipModel, ClipWeights, Data, Device, Drawn, Features
from lab.train.vq.link_adaptation import Worth, make_table
from shared.codecs.digital.modes import ModeTable
from shared.codecs.digital.quantizer import ResidualQuantizer
from shared.codecs.digital.vq import VqDigital
from shared.files import replacing

BUDGETS: Final = (12, 16, 24, 32, 48, 64, 96, 128)
"""Bits of the modes to choose from."""


@dataclass(frozen=True)
class VqTraining:
    """Settings of a run."""

    data: str
    clip: ClipChoice = CLIP_TINY
    drawn: bool = True
    out: Path = Path("assets/vq-digital")
    features: Path = Path("runs/kbsc")
    learned: int = 30_000
    budgets: tuple[int, ...] = BUDGETS
    bursts: int = 400
    seed: int = 1
    device: str = "auto"


def train_vq(settings: VqTraining) -> None:
    """Learn, simulate, write `words.safetensors`, `modes.json` and the card."""
    started = time.monotonic()
    clip = load_choice(settings.clip, settings.device)
    with Progress(console=Console(stderr=True)) as progress:
        data = load_codec_data(clip, settings.data, settings.features, settings.seed, drawn=settings.drawn)
        with spent_on(torch.device("cpu")) as spent:
            task = progress.add_task("words", total=None)
            quantizer = ResidualQuantizer.train(data.train[: settings.learned])
            progress.remove_task(task)
            worth = {bits: worth_of(quantizer, data, bits) for bits in settings.budgets}
            table = make_table(worth, VqDigital.lengths, settings.bursts, settings.seed, progress)
        progress.console.print(f"vq-digital: words and modes took {spent}", soft_wrap=True)
    _write(settings, quantizer, table, clip.fingerprint)
    _write_card(settings, worth, table, data.describe(clip), time.monotonic() - started)


def worth_of(quantizer: ResidualQuantizer, data: CodecData, bits: int) -> Worth:
    """What so many bits are worth on the validation pictures, without a channel."""
    e_hat = quantizer.dequantize(quantizer.quantize(data.sender.embeddings, bits))
    e_hat /= np.linalg.norm(e_hat, axis=1, keepdims=True)
    accuracy = semantic_accuracy(e_hat, data.sender.labels, data.kb.embeddings, data.kb.labels)
    return Worth(accuracy, float(np.mean(np.sum(e_hat * data.sender.embeddings, axis=1))))


def _write(settings: VqTraining, quantizer: ResidualQuantizer, table: ModeTable, clip_fingerprint: str) -> None:
    settings.out.mkdir(parents=True, exist_ok=True)
    halved = {name: np.ascontiguousarray(part, np.float16) for name, part in quantizer.codebooks._asdict().items()}
    metadata = {"clip_fingerprint": clip_fingerprint, "command": "semlink train vq-digital"}
    with replacing(settings.out / "words.safetensors") as temporary:
        save_file(halved, temporary, metadata=metadata)
        temporary.chmod(0o644)  # safetensors makes it private
    table.write(settings.out / "modes.json")


_CARD = """# vq-digital

The plain digital way to send an embedding: a residual vector quantizer, 5G LDPC, QAM, soft demapping. It shows what
the learned codecs have to beat.

`words.safetensors` (float16): the mean of the embeddings, {dim} principal axes, and the words of 17 stages of 8 and 4
bits, learned by FAISS from at most {most:,} embeddings. {learned}

`modes.json`: for each fading, k and SNR the mode, [lowest SNR in dB, [bits, coded bits of a QAM symbol]]. Each mode was
simulated with {bursts} bursts, gain and noise known. The best has the highest share of bursts decoded times semantic
accuracy of its bits; of modes within {close:.3f} of it, the one with the highest mean cosine.

## What bits are worth without a channel, on validation pictures

{worth}

The validation pictures are of the train parts, which clip-tiny knows well: with it their accuracy is higher than that
of test pictures, which these tables never saw.

## Modes

{modes}

## How it was made

    semlink train vq-digital --data DIR        (or python -m lab.train.vq.train --data DIR)

Seed {seed}; {minutes:.0f} minutes in all on {hardware}.
"""


def _write_card(settings: VqTraining, worth: dict[int, Worth], table: ModeTable, learned: str, seconds: float) -> None:
    rows = [
        {
            "fading": fading,
            "k": str(k),
            **{f"{least:g} dB": f"{mode.bits} b, {2**mode.order}-QAM" for least, mode in row},
        }
        for fading, lengths in table.rows.items()
        for k, row in lengths.items()
        if row
    ]
    card = _CARD.format(
        dim=VqDigital.from_folder(VqDigital.default_k, settings.out).quantizer.codebooks.axes.shape[0],
        most=settings.learned,
        learned=learned,
        bursts=settings.bursts,
        close=0.005,
        worth=markdown_table(
            [{"bits": bits, "accuracy": one.accuracy, "cosine": one.cosine} for bits, one in worth.items()]
        ),
        modes=markdown_table([{key: str(value) for key, value in row.items()} for row in rows]),
        seed=settings.seed,
        minutes=seconds / 60,
        hardware=hardware(),
    )
    (settings.out / "README.md").write_text(card)


def main(
    data: Data,
    *,
    clip: ClipModel = "clip-tiny",
    weights: ClipWeights = None,
    drawn: Drawn = VqTraining.drawn,
    seed: Annotated[int, typer.Option(help="Seed of bits, fading and noise.")] = VqTraining.seed,
    bursts: Annotated[int, typer.Option(help="Bursts simulated for each mode and SNR.")] = VqTraining.bursts,
    device: Device = VqTraining.device,
    out: Annotated[Path, typer.Option(help="Folder for words, modes and card.")] = VqTraining.out,
    features: Features = VqTraining.features,
) -> None:
    """Learn the words of vq-digital, and choose its modulations and code rates."""
    choice = ClipChoice(clip, weights)
    train_vq(VqTraining(data, choice, drawn, out, features, bursts=bursts, seed=seed, device=device))


if __name__ == "__main__":
    typer.run(main)
