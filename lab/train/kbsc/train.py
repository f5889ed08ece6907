"""Trains the codec `kbsc` by the recipe of arXiv 2504.01053.

    e --encode--> x --+ n--> y --decode--> e_hat,    loss = |e_hat - e|^2 / 512

Adam at 1e-4, batches of 128, up to 100 epochs, one SNR for each batch, early stop after 20 epochs without a better
retrieval. Power is one per burst, noise is complex with N0 per symbol, and the receiver is given neither scale nor SNR.
"""

import math
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from lab.data.codec_data import CodecData, LabelledEmbeddings
from lab.evaluate.metrics import semantic_accuracy
from lab.simulate.authors_channel import FOLDERS, carry_over
from lab.train.common.data import open_data
from lab.train.common.fit import Training, fit
from lab.train.common.output import export, write_card
from lab.train.kbsc import KbscSettings
from shared.codecs.embedding.kbsc_torch import KbscNetwork
from shared.units import n0_from_snr_db

TRAINING_SNRS_DB: Final = (-7.0, -4.0, 0.0, 4.0, 7.0, 10.0)
ENOUGH: Final = 8000
"""Vectors below which it warns: 1,000 were seen to be too few, see docs/results-own-embeddings.md, 40,000 enough."""
_QUERIES, _ITEMS = 1500, 3000  # of the validation parts after each epoch: a standard error of half a percent will do

Carry = Callable[[KbscNetwork, Tensor, float], Tensor]
"""Embeddings [B, 512] at an SNR in dB, through network and channel, to received embeddings [B, 512]."""
Row = dict[str, Any]


def awgn(x: Tensor, snr_db: float) -> Tensor:
    """Add noise, y = x + n, n ~ CN(0, N0) with N0 = 10^(-snr_db / 10), to symbols [B, n], complex64, of unit power."""
    return x + torch.randn_like(x) * math.sqrt(n0_from_snr_db(snr_db))


def over_awgn(network: KbscNetwork, embeddings: Tensor, snr_db: float) -> Tensor:
    """Carry as a real link does: one power for each burst, no side information for the receiver."""
    return network.decode(awgn(network.encode(embeddings), snr_db))


class KbscTraining(Training):
    """A network of length k; the best epoch has the highest semantic accuracy on the validation parts."""

    monitor = "validation_accuracy"

    def __init__(self, k: int, data: CodecData, settings: KbscSettings, carry: Carry = over_awgn) -> None:
        whole, rest = divmod(len(data.train.labels), settings.batch_size)
        super().__init__(whole + (rest > 1), settings.seed)  # batch norm has no variance of one
        self.network = KbscNetwork(k)
        self._settings, self._carry, self._learned = settings, carry, torch.from_numpy(data.train.embeddings)
        self._validation = data.sender.take(slice(_QUERIES)), data.kb.take(slice(_ITEMS))

    def batches(self) -> Iterator[tuple[Tensor, float]]:
        """Every embedding once, one SNR for each batch."""
        order = torch.randperm(len(self._learned))[: self.share(len(self._learned))]
        for members in torch.split(order, self.share(self._settings.batch_size))[: self.steps]:
            yield self._learned[members], TRAINING_SNRS_DB[int(torch.randint(len(TRAINING_SNRS_DB), ()))]

    def training_step(self, batch: tuple[Tensor, float], _: int) -> Tensor:
        """Mean squared error."""
        embeddings, snr_db = batch
        return self.logged(nn.functional.mse_loss(self._carry(self.network, embeddings, snr_db), embeddings))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam."""
        return torch.optim.Adam(self.parameters(), lr=self._settings.lr, fused=True)

    def measure(self) -> dict[str, float]:
        """Mean over the training SNRs."""
        found = accuracies(self.network, *self._validation, self._carry)
        return {"validation_accuracy": float(np.mean(list(found.values())))}


def train_kbsc(settings: KbscSettings) -> list[Row]:
    """Train all lengths, write weights and card; gives the card's rows."""
    started, (clip, data) = time.monotonic(), open_data(settings)
    rows: list[Row] = []
    for k in settings.lengths:
        network, epoch = train_network(k, data, settings)
        _warn_of_few(network, data)
        export(network.state_dict(), settings, f"k{k}.safetensors", k=str(k), clip_fingerprint=clip.fingerprint)
        rows += [
            {"k": k, "set": name, "best epoch": epoch}
            | accuracies(network, *test)
            | {"no channel": retrieval(network, *test, math.inf), "raw": semantic_accuracy(*test[0], *test[1])}
            for name, test in data.tests.items()
        ]
    write_card("kbsc/card.md.j2", settings, time.monotonic() - started, rows=rows, learned=data.describe(clip))
    return rows


def _warn_of_few(network: KbscNetwork, data: CodecData) -> None:
    """Say on standard error what a network learned of few vectors is worth, beside one that has learned nothing."""
    if len(data.train.labels) >= ENOUGH:
        return
    fresh = KbscNetwork(network.k)
    learned, untrained = (
        float(np.mean(list(accuracies(each, data.sender, data.kb).values()))) for each in (network, fresh)
    )
    clean = semantic_accuracy(*data.sender, *data.kb)
    print(
        f"semlink: kbsc k = {network.k} learned from {len(data.train.labels)} vectors; below {ENOUGH:,} expect "
        f"little. Validation accuracy {learned:.3f}, untrained {untrained:.3f}, without codec and channel {clean:.3f}",
        file=sys.stderr,
    )


def train_authors(settings: KbscSettings) -> None:
    """Train every length for both of the authors' channels, and write weights and card."""
    started, (clip, data) = time.monotonic(), open_data(settings)
    name, test = next(iter(data.tests.items()))
    rows: list[Row] = []
    for fading, folder in FOLDERS.items():
        for k in settings.lengths:
            carry = carry_over(fading)
            network, epoch = train_network(k, data, settings, carry, f"{folder}-")
            metadata = {"codec": "kbsc", "k": str(k), "clip_fingerprint": clip.fingerprint}
            export(network.state_dict(), settings, f"{folder}/k{k}.safetensors", **metadata)
            rows.append({"channel": folder, "k": k, "best epoch": epoch} | accuracies(network, *test, carry))
    values = {"rows": rows, "learned": data.describe(clip), "set": name}
    write_card("kbsc/authors.md.j2", settings, time.monotonic() - started, **values)


def train_network(
    k: int, data: CodecData, settings: KbscSettings, carry: Carry = over_awgn, title: str = ""
) -> tuple[KbscNetwork, int]:
    """Train one length, or finish a run that was killed; gives the network of the best epoch and that epoch's number.

    title: begins the run's name
    """
    training = KbscTraining(k, data, settings, carry)
    run = f"{title}k{k}-seed{settings.seed}-{data.fingerprint}"
    rows = fit(training, settings, run, settings.epochs, settings.patience)
    best = max(rows, key=lambda row: row["validation_accuracy"])
    return training.network.cpu(), int(best["epoch"])


def accuracies(
    network: KbscNetwork, query: LabelledEmbeddings, kb: LabelledEmbeddings, carry: Carry = over_awgn
) -> Row:
    """Semantic accuracy at each training SNR, as columns of a table."""
    return {f"{snr_db:g} dB": retrieval(network, query, kb, snr_db, carry) for snr_db in TRAINING_SNRS_DB}


@torch.inference_mode()
def retrieval(
    network: KbscNetwork, sender: LabelledEmbeddings, kb: LabelledEmbeddings, snr_db: float, carry: Carry = over_awgn
) -> float:
    """Semantic accuracy of 1-nearest-neighbour retrieval through the channel; infinity is no noise.

    The noise is the same on every call, so that epochs compare.
    """
    device = next(network.parameters()).device
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(0)
        received = carry(network.eval(), torch.from_numpy(sender.embeddings).to(device), snr_db).cpu().numpy()
    return semantic_accuracy(received, sender.labels, *kb)
