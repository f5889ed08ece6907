"""Trains the codecs of pictures, `deepjscc` and `swinjscc`, on CIFAR-100's train split.

    pictures --encode--> z --+ noise--> z_hat --decode--> pictures,    loss = mean squared error

Each batch has one k, at random. Each picture has an average SNR of its own from -7 .. 10 dB, which the sender knows;
half of the bursts fade (Rayleigh, one gain for a burst, zero-forced), so their noise power is N0 / |h|^2, which the
receiver knows. Adam; the rate is constant, and falls to zero over the last fifth of the rounds. The start is a linear
code (`lab.train.jscc.init`); what is validated and shipped is a moving average of the weights.
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import mse_loss
from torchmetrics.functional.image import peak_signal_noise_ratio

from lab.data.features import CLIP_TINY
from lab.evaluate.data import open_test_set
from lab.train.common.fit import Training, fit, moving_average
from lab.train.common.output import count_parameters, export, write_card
from lab.train.common.precision import mixed_precision
from lab.train.common.scores import Row, by_snr, score_pictures
from lab.train.common.settings import FEATURES
from lab.train.jscc import JsccSettings
from lab.train.jscc.init import start_as_linear_code
from shared.codecs import codec_class
from shared.codecs.picture.jscc.codec import JsccCodec
from shared.codecs.picture.jscc.network import JsccNetwork, network_class, reliability_of, to_unit_range
from shared.datasets.cifar100 import read_cifar100
from shared.device import use_threads
from shared.errors import InvalidSetting
from shared.types import Pixels
from shared.units import n0_from_snr_db

LOWEST_DB: Final = -7.0
HIGHEST_DB: Final = 10.0
VALIDATION_DB: Final = (-7.0, 0.0, 10.0)
LEAST_GAIN: Final = 1e-3
"""Of |h|^2: deeper fades leave nothing to learn from."""

_HELD_OUT = 5000
_VALIDATED = 500  # of them after each round, the same pictures and the same noise, so that rounds compare
_FALL = 0.2
_QUERIES = 500  # of the card


class Sent(NamedTuple):
    """A batch: pictures [B, 3, 32, 32]; average SNR in dB and noise power, [B, 1]; noise of unit power [B, k]."""

    pictures: Tensor
    snr_db: Tensor
    noise: Tensor
    unit: Tensor


class JsccTraining(Training):
    """A network in training. pixels: [N, 32, 32, 3], uint8; a tenth of them, at most 5,000, is held out."""

    monitor = "validation_psnr_db"

    def __init__(self, network: JsccNetwork, pixels: Pixels, settings: JsccSettings) -> None:
        super().__init__(settings.steps, settings.seed)
        order = np.random.default_rng(settings.seed).permutation(len(pixels))
        held_out = min(_HELD_OUT, len(pixels) // 10)
        self._learned, self._held_out = pixels[order[held_out:]], pixels[order[:held_out]]
        self._settings = settings
        self.network = network
        self.average: Any = moving_average(network, settings.average_decay)

    def batches(self) -> Iterator[Sent]:
        """Pictures at random, half of them mirrored, each with a channel of its own; one k for all."""
        lengths, size = self.network.lengths, self.share(self._settings.batch_size)
        for _ in range(self.steps):
            pictures = to_unit_range(self._learned[torch.randint(len(self._learned), (size,)).numpy()])
            mirrored = torch.rand(size, 1, 1, 1) < 0.5
            k = lengths[int(torch.randint(len(lengths), ()))]
            yield Sent(torch.where(mirrored, pictures.flip(3), pictures), *draw_channels(size), torch.randn(size, k))

    def training_step(self, batch: Sent, _: int) -> Tensor:
        """Mean squared error."""
        with mixed_precision(self.device):
            return self.logged(mse_loss(carry(self.network, batch), batch.pictures))

    def on_train_batch_end(self, *_: Any) -> None:
        """Update the moving average."""
        self.average.update_parameters(self.network)

    def configure_optimizers(self) -> Any:
        """Adam, its rate by `_rate`."""
        optimizer = torch.optim.Adam(self.network.parameters(), lr=self._settings.lr, fused=True)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self._rate)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _rate(self, step: int) -> float:
        """Factor of the learning rate."""
        rest = (self._settings.rounds - step / self.steps) / (_FALL * self._settings.rounds)
        return max(0.0, min(1.0, rest, (step + 1) / self._settings.warmup_steps))

    @torch.inference_mode()
    def measure(self) -> dict[str, float]:
        """Mean PSNR of held-out pictures over AWGN, all lengths and three SNRs."""
        generator = torch.Generator().manual_seed(0)
        pictures = to_unit_range(self._held_out[:_VALIDATED]).to(self.device)
        found = []
        for k in self.network.lengths:
            for value in VALIDATION_DB:
                snr_db = torch.full((len(pictures), 1), value, device=self.device)
                unit = torch.randn(len(pictures), k, generator=generator).to(self.device)
                decoded = carry(self.average.module, Sent(pictures, snr_db, n0_from_snr_db(snr_db), unit))
                found.append(peak_signal_noise_ratio(decoded, pictures, (0.0, 1.0), dim=(1, 2, 3)).item())
        return {"validation_psnr_db": float(np.mean(found))}


def draw_channels(count: int) -> tuple[Tensor, Tensor]:
    """Average SNR in dB, and noise power after zero forcing: [count, 1] each; every second burst has faded."""
    snr_db = LOWEST_DB + (HIGHEST_DB - LOWEST_DB) * torch.rand(count, 1)
    gain = torch.empty(count, 1).exponential_().clamp_min(LEAST_GAIN)
    gain[::2] = 1
    return snr_db, n0_from_snr_db(snr_db) / gain


def carry(network: JsccNetwork, sent: Sent) -> Tensor:
    """Send pictures through network and channel: [B, 3, 32, 32]."""
    z = network.encode(sent.pictures, reliability_of(sent.snr_db), sent.unit.shape[1])
    return network.decode(z + sent.noise.sqrt() * sent.unit, sent.noise)


def train_jscc(settings: JsccSettings) -> list[Row]:
    """Train a codec, or finish a run that was killed; write weights and model card; gives the curves."""
    use_threads(settings.threads)
    kind = codec_class(settings.name)
    if not issubclass(kind, JsccCodec):
        raise InvalidSetting(f"codec {settings.name} has no network to train")
    torch.manual_seed(settings.seed)
    pixels, network = read_cifar100(settings.data, "train").pixels, network_class(kind.network_place)()
    start_as_linear_code(network, pixels)
    training = JsccTraining(network, pixels, settings)
    curves = fit(training, settings, f"seed{settings.seed}", settings.rounds, settings.patience)
    export(training.average.module.state_dict(), settings, "model.safetensors")
    _write_card(kind, settings, curves)
    return curves


def _write_card(kind: type[JsccCodec], settings: JsccSettings, curves: list[Row]) -> None:
    test_set = open_test_set(f"cifar100:{settings.data}", CLIP_TINY, FEATURES)
    rows = score_pictures(kind, settings, test_set, _QUERIES)
    tables = {
        (title, channel): by_snr((row for row in rows if row["fading"] == fading), figure, digits)
        for title, figure, digits in (("PSNR", "psnr_db", 2), ("Semantic accuracy", "semantic_accuracy", 3))
        for channel, fading in (("AWGN", "none"), ("Rayleigh", "rayleigh"))
    }
    values = {
        "lengths": kind.lengths,
        "parameters": count_parameters(network_class(kind.network_place)()),
        "rounds": len(curves),
        "best": max(curves, key=lambda row: row["validation_psnr_db"]),
        "queries": _QUERIES,
        "fingerprint": test_set.clip_fingerprint,
        "tables": tables,
    }
    write_card("jscc/card.md.j2", settings, sum(row["seconds"] for row in curves), **values)
