"""Makes the codec `vq-digital`: learns the codebook of its quantizer, and finds which mode is best at which SNR."""

import time
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

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
from lab.train.vq.block_errors import RATES, BlockErrorRates
from shared.codecs.digital.modem import LOWEST_RATE, Mode
from shared.codecs.digital.quantizer import ResidualQuantizer
from shared.codecs.digital.vq import ModeTable, VqDigital

SNRS_DB: Final = tuple(range(-8, 14, 2))
ORDERS: Final = (2, 4, 6)
CLOSE: Final = 0.005
"""Modes within this of the best semantic accuracy: among them the mean cosine decides."""
_ABOVE_CAPACITY: Final = 0.5  # bits a symbol over log2(1 + SNR): more need not be simulated


class Worth(NamedTuple):
    """Quality of decoded bits. accuracy: semantic accuracy. cosine: mean cos(e_hat, e)."""

    accuracy: float
    cosine: float


def train_vq(settings: VqSettings) -> None:
    """Learn, simulate, write `words.safetensors`, `modes.json`, the block error rates and the card."""
    started, (clip, data) = time.monotonic(), open_data(settings)
    with Progress(console=Console(stderr=True)) as progress, spent_on(torch.device("cpu")) as spent:
        task = progress.add_task("codebook", total=None)
        quantizer = ResidualQuantizer.train(data.train.embeddings[: settings.learned])
        progress.remove_task(task)
        worth = {bits: worth_of(quantizer, data, bits) for bits in settings.budgets}
        rates = BlockErrorRates.kept(settings.bursts, settings.seed)
        table = make_table(worth, VqDigital.lengths, rates, progress)
    Console(stderr=True).print(f"vq-digital: codebook and modes took {spent}", soft_wrap=True)
    codebook = {name: torch.from_numpy(part) for name, part in quantizer.codebooks._asdict().items()}
    export(codebook, settings, "words.safetensors", clip_fingerprint=clip.fingerprint)
    table.write(settings.out / "modes.json")
    rates.write(settings.out / RATES)
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


def make_table(
    worth: Mapping[int, Worth], lengths: tuple[int, ...], rates: BlockErrorRates, progress: Progress
) -> ModeTable:
    """Compare the modes that might be the best, and keep the best one for each fading, k and SNR.

    worth: of each budget of bits, without a channel, on validation pictures. A lost burst counts as wrong, cosine 0.
    """
    task = progress.add_task("modes", total=2 * len(lengths) * len(SNRS_DB))
    rows: dict[str, dict[int, list[tuple[float, Mode]]]] = {}
    for fading in ("none", "rayleigh"):
        rows[fading] = {k: [] for k in lengths}
        for k, modes in rows[fading].items():
            for snr_db in SNRS_DB:
                found = {mode: rates.of(mode, k, snr_db, fading) for mode in _modes(worth, k, snr_db)}
                if found:
                    modes.append((float(snr_db), best(found, worth)))
                progress.advance(task)
    return ModeTable(rows)


def best(rates: Mapping[Mode, float], worth: Mapping[int, Worth]) -> Mode:
    """The mode with the highest cosine among those whose semantic accuracy is `CLOSE` to the best.

    rates: block error rate of each mode
    """
    accuracy = {mode: (1 - rate) * worth[mode.bits].accuracy for mode, rate in rates.items()}
    near = [mode for mode in rates if accuracy[mode] >= max(accuracy.values()) - CLOSE]
    return max(near, key=lambda mode: ((1 - rates[mode]) * worth[mode.bits].cosine, -mode.order))


def _modes(worth: Mapping[int, Worth], k: int, snr_db: float) -> Iterator[Mode]:
    """Modes of this length that may be the best: not much above capacity, large alphabets not at tiny rates."""
    symbols = k // 2
    most = symbols * (np.log2(1 + 10 ** (snr_db / 10)) + _ABOVE_CAPACITY)
    for order in ORDERS:
        least = LOWEST_RATE * symbols * order if order > ORDERS[0] else 0
        fitting = [bits for bits in sorted(worth) if bits >= least and Mode(bits, order).fits(symbols)]
        yield from (Mode(bits, order) for bits in fitting if bits <= max(most, fitting[0]))


def _mode_rows(table: ModeTable) -> list[dict[str, str]]:
    return [
        {"fading": fading, "k": str(k)}
        | {f"{least:g} dB": f"{mode.bits} b, {2**mode.order}-QAM" for least, mode in row}
        for fading, lengths in table.rows.items()
        for k, row in lengths.items()
        if row
    ]
