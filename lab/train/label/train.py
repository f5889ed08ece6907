"""Trains the codec `label`: a spherical code with one codeword for each category, for each length alone.

codeword(c) + n --> cross-entropy of c,    SNR uniform over the range in which that length errs
"""

import time
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from lab.train.common.data import open_data
from lab.train.common.fit import Training, fit
from lab.train.common.output import export, write_card
from lab.train.label import LabelSettings
from lab.train.nested.few import LENGTH, warn_of_few
from lab.train.nested.source import fit_source
from shared.codecs.embedding.label import Label
from shared.errors import InvalidSetting
from shared.units import n0_from_snr_db

_RANGE_DB = 8.0
_MIDDLE_DB = {8: 2.0, 16: -1.0, 32: -4.0, 64: -6.0, 128: -8.0, 256: -10.0}
"""Where the accuracy of a good code of 100 or 200 codewords goes from near 0 to near 1."""
_EXCLUDED = -30.0


def train_label(settings: LabelSettings) -> None:
    """Train the code of each length, or finish a run that was killed; write tables and card."""
    started, (clip, data) = time.monotonic(), open_data(settings)
    if not data.labelled:
        raise InvalidSetting("label sends the number of a label, and these embeddings have none: train nested on them")
    source = fit_source(data.train, data.sender.embeddings, 1, settings.seed)
    collections = torch.from_numpy(data.collections)
    tables = {"weight": source.weight, "bias": source.bias, "prototypes": source.prototypes}
    for k in Label.lengths:
        run = f"k{k}-seed{settings.seed}-steps{settings.epochs * settings.steps}-{data.fingerprint}"
        tables[f"words_{k}"] = train_codewords(k, collections, settings, run)
    export(tables, settings, "tables.safetensors", clip_fingerprint=clip.fingerprint)
    warn_of_few(Label.from_file(settings.out / "tables.safetensors", LENGTH), data)
    values = {"count": len(data.collections), "learned": data.describe(clip)}
    write_card("label/card.md.j2", settings, time.monotonic() - started, **values)


def train_codewords(k: int, collections: Tensor, settings: LabelSettings, run: str) -> Tensor:
    """Codewords [C, k] of unit mean power. collections: [C], as in `lab.train.nested.code.Material`."""
    training = CodewordTraining(k, collections, settings)
    fit(training, settings, run, settings.epochs)
    return training.codewords().detach().cpu()


class CodewordTraining(Training):
    """Codewords of one length in training. Arguments as those of `train_codewords`."""

    def __init__(self, k: int, collections: Tensor, settings: LabelSettings) -> None:
        super().__init__(settings.steps, settings.seed)
        self._directions = torch.nn.Parameter(torch.randn(len(collections), k))
        self.register_buffer("_prior", torch.where(collections[:, None] == collections[None, :], 0.0, _EXCLUDED))
        self._prior: Tensor
        self._settings = settings

    def codewords(self) -> Tensor:
        """The codewords as they are now: [C, k]."""
        codewords: Tensor = F.normalize(self._directions, dim=1) * self._directions.shape[1] ** 0.5
        return codewords

    def batches(self) -> Iterator[tuple[Tensor, float, Tensor]]:
        """Categories, all at one SNR; N0; noise of unit power."""
        count, k = self._directions.shape
        size = self.share(self._settings.batch_size)
        for _ in range(self.steps):
            snr_db = _MIDDLE_DB[k] + _RANGE_DB * (float(torch.rand(())) - 0.5)
            yield torch.randint(count, (size,)), n0_from_snr_db(snr_db), torch.randn(size, k)

    def training_step(self, batch: tuple[Tensor, float, Tensor], _: int) -> Tensor:
        """Cross-entropy of the receiver's posterior."""
        sent, n0, noise = batch
        codewords = self.codewords()
        y = codewords[sent] + n0**0.5 * noise
        return self.logged(F.cross_entropy(y @ codewords.T / n0 + self._prior[sent], sent))

    def configure_optimizers(self) -> Any:
        """Adam; its rate falls to zero over the whole run, as a cosine."""
        optimizer = torch.optim.Adam(self.parameters(), 0.02)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self._settings.epochs * self.steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
