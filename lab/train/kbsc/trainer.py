"""One network of `kbsc` on its way: epochs that resume, the best one kept, stopped early."""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from lab.data.codec_data import CodecData, LabelledEmbeddings
from lab.data.features import CLIP_TINY, ClipChoice
from lab.evaluate.metrics import semantic_accuracy
from lab.train.common.checkpoint import load_checkpoint, save_checkpoint
from lab.train.common.curves import Curves
from shared.codecs.embedding.kbsc import KbscNetwork
from shared.device import resolve_device
from shared.types import Embeddings
from shared.units import n0_from_snr_db

TRAINING_SNRS_DB: Final = (-7.0, -4.0, 0.0, 4.0, 7.0, 10.0)

_ASKING, _ANSWERING = 1500, 3000  # of the validation parts after each epoch: a standard error of half a percent will do

Carry = Callable[[KbscNetwork, Tensor, float], Tensor]
"""What arrives of embeddings [B, 512] at an SNR in dB, through a network and a channel: [B, 512]."""


def awgn(x: Tensor, snr_db: float) -> Tensor:
    """Add noise, y = x + n, n ~ CN(0, N0) with N0 = 10^(-snr_db / 10), to symbols [B, n], complex64, of unit power."""
    n0 = n0_from_snr_db(snr_db)
    return x + torch.randn_like(x) * math.sqrt(n0)


def over_awgn(network: KbscNetwork, embeddings: Tensor, snr_db: float) -> Tensor:
    """Carry as a real link does: one power for each burst, nothing told to the receiver."""
    return network.decode(awgn(network.encode(embeddings), snr_db))


@dataclass(frozen=True)
class KbscTraining:
    """Settings of a run; the numbers are the paper's. patience: epochs without a better retrieval that end it."""

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


class KbscTrainer:
    """A network of length k, its optimizer, and the best epoch so far."""

    def __init__(self, k: int, data: CodecData, settings: KbscTraining, curves: Path, carry: Carry = over_awgn) -> None:
        torch.manual_seed(settings.seed)
        device = resolve_device(settings.device)
        self.network = KbscNetwork(k).to(device)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=settings.lr, fused=True)
        self.curves = Curves(curves, device)
        self.best: dict[str, Any] = {"accuracy": -1.0, "epoch": 0, "state": self.network.state_dict()}
        self._settings, self._carry = settings, carry
        self._train = torch.from_numpy(data.train).to(device)
        self._asking, self._answering = _first(data.sender, _ASKING), _first(data.kb, _ANSWERING)

    @property
    def done(self) -> bool:
        """Whether nothing is left to do."""
        epoch = len(self.curves.rows)
        return epoch >= self._settings.epochs or epoch - self.best["epoch"] >= self._settings.patience

    def run_epoch(self) -> float:
        """Learn from every embedding once; gives the semantic accuracy on the validation parts."""
        with self.curves.epoch() as row:
            row["loss"] = self._learn()
            row["validation_accuracy"] = accuracy = self._validate()
        if accuracy > self.best["accuracy"]:
            state = copy.deepcopy(self.network.state_dict())
            self.best = {"accuracy": accuracy, "epoch": len(self.curves.rows), "state": state}
        return accuracy

    def finished(self) -> tuple[KbscNetwork, int]:
        """The network of the best epoch, and that epoch's number."""
        self.network.load_state_dict(self.best["state"])
        return self.network.eval(), self.best["epoch"]

    def save(self, path: Path) -> None:
        """Write a checkpoint: with the state of the random numbers, so that a resumed run is the same run."""
        parts = {"network": self.network.state_dict(), "optimizer": self.optimizer.state_dict()}
        random = {"cpu": torch.get_rng_state(), "cuda": torch.cuda.get_rng_state_all()}
        save_checkpoint(parts | {"best": self.best, "curves": self.curves.rows, "random": random}, path)

    def restore(self, path: Path) -> None:
        """Go on from a checkpoint, where there is one."""
        if (state := load_checkpoint(path)) is None:
            return
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.best, self.curves.rows = state["best"], state["curves"]
        torch.set_rng_state(state["random"]["cpu"])
        if torch.cuda.is_available():
            torch.cuda.set_rng_state_all(state["random"]["cuda"])

    def _learn(self) -> float:
        self.network.train()
        losses = []
        for members in torch.split(torch.randperm(len(self._train)), self._settings.batch_size):
            if len(members) < 2:  # batch norm has no variance of one
                continue
            embeddings = self._train[members.to(self._train.device)]
            snr_db = TRAINING_SNRS_DB[int(torch.randint(len(TRAINING_SNRS_DB), ()))]
            self.optimizer.zero_grad(set_to_none=True)
            loss = nn.functional.mse_loss(self._carry(self.network, embeddings, snr_db), embeddings)
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()
            losses.append(loss.detach())
        return float(torch.stack(losses).mean())

    def _validate(self) -> float:
        parts = (self.network, self._asking, self._answering)
        return float(np.mean([retrieval(*parts, snr_db, self._carry) for snr_db in TRAINING_SNRS_DB]))


def _first(whole: LabelledEmbeddings, count: int) -> LabelledEmbeddings:
    return LabelledEmbeddings(whole.embeddings[:count], whole.labels[:count])


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
