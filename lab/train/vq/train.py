"""Makes the codec `vq-digital`: learns the codebook of its quantizer, and simulates which mode is best at which SNR."""

import time

import numpy as np
import torch
from rich.console import Console
from rich.progress import Progress

from lab.bench.energy import spent_on
from lab.data.codec_data import CodecData
from lab.evaluate.metrics import semantic_accuracy
from lab.train.common.data import open_data
from lab.train.common.output import export, write_card
from lab.train.vq import VqSettings
from lab.train.vq.link_adaptation import CLOSE, Worth, make_table
from shared.codecs.digital.quantizer import ResidualQuantizer
from shared.codecs.digital.vq import ModeTable, VqDigital


def train_vq(settings: VqSettings) -> None:
    """Learn, simulate, write `words.safetensors`, `modes.json` and the card."""
    started, (clip, data) = time.monotonic(), open_data(settings)
    with Progress(console=Console(stderr=True)) as progress, spent_on(torch.device("cpu")) as spent:
        task = progress.add_task("codebook", total=None)
        quantizer = ResidualQuantizer.train(data.train.embeddings[: settings.learned])
        progress.remove_task(task)
        worth = {bits: worth_of(quantizer, data, bits) for bits in settings.budgets}
        table = make_table(worth, VqDigital.lengths, settings.bursts, settings.seed, progress)
    Console(stderr=True).print(f"vq-digital: codebook and modes took {spent}", soft_wrap=True)
    codebook = {name: torch.from_numpy(part) for name, part in quantizer.codebooks._asdict().items()}
    export(codebook, settings, "words.safetensors", clip_fingerprint=clip.fingerprint)
    table.write(settings.out / "modes.json")
    values = {
        "dim": quantizer.codebooks.axes.shape[0],
        "learned": data.describe(clip),
        "close": CLOSE,
        "worth": [{"bits": bits, **one._asdict()} for bits, one in worth.items()],
        "modes": _mode_rows(table),
    }
    write_card("vq/card.md.j2", settings, time.monotonic() - started, **values)


def worth_of(quantizer: ResidualQuantizer, data: CodecData, bits: int) -> Worth:
    """Accuracy and cosine of so many bits on the validation pictures, without a channel."""
    e_hat = quantizer.dequantize(quantizer.quantize(data.sender.embeddings, bits))
    e_hat /= np.linalg.norm(e_hat, axis=1, keepdims=True)
    accuracy = semantic_accuracy(e_hat, data.sender.labels, *data.kb)
    return Worth(accuracy, float(np.mean(np.sum(e_hat * data.sender.embeddings, axis=1))))


def _mode_rows(table: ModeTable) -> list[dict[str, str]]:
    return [
        {"fading": fading, "k": str(k)}
        | {f"{least:g} dB": f"{mode.bits} b, {2**mode.order}-QAM" for least, mode in row}
        for fading, lengths in table.rows.items()
        for k, row in lengths.items()
        if row
    ]
