"""Training of kbsc on clusters."""

from pathlib import Path

import numpy as np
import pytest
import torch

from lab.data.codec_data import CodecData
from lab.train.common.output import export
from lab.train.kbsc import KbscSettings
from lab.train.kbsc.train import awgn, retrieval, train_network
from shared.codecs.embedding.kbsc import Kbsc
from shared.codecs.embedding.kbsc_torch import KbscNetwork
from tests.tools.embeddings import clustered_data


@pytest.fixture(scope="module")
def data() -> CodecData:
    return clustered_data(2000)


@pytest.mark.parametrize("snr_db", [-7.0, 0.0, 10.0])
def test_training_noise_has_the_power_it_says(snr_db: float) -> None:
    torch.manual_seed(0)
    x = torch.zeros(200, 500, dtype=torch.complex64)
    noise = awgn(x, snr_db)
    n0 = 10 ** (-snr_db / 10)
    assert noise.abs().square().mean().item() == pytest.approx(n0, rel=0.02)  # six standard errors of 100,000 samples
    assert noise.real.square().mean().item() == pytest.approx(n0 / 2, rel=0.03)
    torch.testing.assert_close(awgn(x, float("inf")), x)


def test_kbsc_learns_and_is_read_back(data: CodecData, tmp_path: Path) -> None:
    settings = KbscSettings(data="", runs=tmp_path, out=tmp_path, epochs=15, lr=1e-3, device="cpu")
    network, epoch = train_network(16, data, settings)
    query, kb = data.tests["clusters"]
    untrained = KbscNetwork(16)
    assert retrieval(network, query, kb, 7.0) > max(0.7, retrieval(untrained, query, kb, 7.0))
    assert retrieval(network, query, kb, 7.0) >= retrieval(network, query, kb, -7.0)
    assert 1 <= epoch <= 15

    export(network.state_dict(), settings, "k16.safetensors", k="16", clip_fingerprint="0123456789abcdef")
    codec = Kbsc.from_file(tmp_path / "k16.safetensors", "cpu")
    assert (codec.k, codec.clip_fingerprint) == (16, "0123456789abcdef")
    with torch.inference_mode():
        expected = network.encode(torch.from_numpy(query.embeddings)).numpy()
    np.testing.assert_allclose(codec.encode(query.embeddings), expected, atol=0.02)  # matrices travel in float16
