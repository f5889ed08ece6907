"""Training of the picture codecs: the initial linear code, a few rounds, the channels that it draws."""

from pathlib import Path

import numpy as np
import pytest
import torch

from lab.evaluate.scorer import psnr_db
from lab.train.common.fit import fit
from lab.train.jscc import JsccSettings
from lab.train.jscc.init import start_as_linear_code
from lab.train.jscc.train import JsccTraining, Sent, carry, draw_channels
from shared.codecs import codec_class
from shared.codecs.picture.jscc.codec import JsccCodec
from shared.codecs.picture.jscc.network import JsccNetwork, network_class, to_pixels, to_unit_range
from shared.types import Pixels
from tests.tools.pictures import coarse_pictures

NAMES = ["deepjscc", "swinjscc"]


@pytest.fixture(scope="module")
def many_pictures() -> Pixels:
    return coarse_pictures()


def network_of(name: str) -> JsccNetwork:
    torch.manual_seed(1)
    kind = codec_class(name)
    assert issubclass(kind, JsccCodec)
    return network_class(kind.network_place)()


def mean_psnr_db(network: JsccNetwork, k: int, snr_db: float, pictures: Pixels) -> float:
    torch.manual_seed(0)
    average = torch.full((len(pictures), 1), snr_db)
    with torch.inference_mode():
        sent = Sent(to_unit_range(pictures), average, 10 ** (-average / 10), torch.randn(len(pictures), k))
        decoded = carry(network, sent)
    return float(psnr_db(pictures, to_pixels(decoded)).mean())


@pytest.mark.parametrize("name", NAMES)
def test_the_start_is_a_linear_code(name: str, many_pictures: Pixels) -> None:
    """Better for each doubling of k and for more SNR; random weights know nothing."""
    network = network_of(name)
    start_as_linear_code(network, many_pictures)
    lengths = network.lengths[-4:]
    by_length = [mean_psnr_db(network, k, 30, many_pictures) for k in lengths]
    by_snr = [mean_psnr_db(network, 512, snr_db, many_pictures) for snr_db in (-7, 0, 7, 14)]
    assert (np.diff(by_length) > 0.3).all()
    assert (np.diff(by_snr) > 0.5).all()
    assert by_length[-1] > mean_psnr_db(network_of(name), 512, 30, many_pictures) + 6


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_training_learns(name: str, many_pictures: Pixels, tmp_path: Path) -> None:
    settings = JsccSettings(
        name=name,
        data="",
        runs=tmp_path,
        rounds=8,
        steps=6,
        batch_size=16,
        lr=3e-3,
        average_decay=0.8,
        warmup_steps=1,
        device="cpu",
    )
    training = JsccTraining(network_of(name), many_pictures[:120], settings)
    before = training.measure()["validation_psnr_db"]
    rows = fit(training, settings, "run", 6)
    assert max(row["validation_psnr_db"] for row in rows) > before + 0.2
    assert training.measure()["validation_psnr_db"] == pytest.approx(
        max(row["validation_psnr_db"] for row in rows), abs=1e-3
    )


def test_channels_of_the_training_are_what_they_are_called() -> None:
    """Means over 20,000 draws, within five standard errors."""
    torch.manual_seed(1)
    snr_db, noise = draw_channels(20_000)
    assert float(snr_db.mean()) == pytest.approx(1.5, abs=0.18)
    gain = (10 ** (-snr_db / 10) / noise)[:, 0]
    torch.testing.assert_close(gain[::2], torch.ones(10_000))
    assert float(gain[1::2].mean()) == pytest.approx(1, abs=0.05)
    assert float((gain[1::2] < 0.105).float().mean()) == pytest.approx(0.1, abs=0.015)
