"""The mode of `nested` without categories: power, round trip, which mode a design SNR takes, and HARQ."""

import numpy as np
import pytest
import torch

from lab.data.cones import cone
from shared.codecs.embedding.analogue import Analogue
from shared.codecs.embedding.nested import Nested
from shared.errors import InvalidInput

E = cone(40, 1, 0.65, 10)[0]


@pytest.fixture(scope="module")
def analogue() -> Analogue:
    learned = cone(600, 0, 0.65, 10)[0]
    mean = learned.mean(axis=0)
    _, values, axes = np.linalg.svd(learned - mean, full_matrices=False)
    parts = (mean, axes[:256], values[:256] / 600**0.5)
    from_db = torch.tensor([1000.0, 1000.0, 6.0, 2.0, -4.0, -1000.0])
    return Analogue(*(torch.from_numpy(part.astype(np.float32)) for part in parts), from_db)


def codec(analogue: Analogue, k: int) -> Nested:
    return Nested.of_model(Nested.load(k, "cpu").model, k, None, "cpu", analogue)


@pytest.mark.parametrize("k", Nested.lengths)
def test_power_is_one_and_longer_codes_tell_more(analogue: Analogue, k: int) -> None:
    latent = analogue.encode(torch.from_numpy(E), k)
    torch.testing.assert_close(latent.square().mean(dim=1), torch.ones(40))
    back = analogue.decode(latent, torch.full((40, 1), 1e-3)).numpy()
    around = E - analogue.mean.numpy()
    cosine = ((back - analogue.mean.numpy()) * around).sum(1) / np.linalg.norm(around, axis=1)
    cosine /= np.linalg.norm(back - analogue.mean.numpy(), axis=1)
    assert cosine.mean() > {8: 0.4, 16: 0.5, 32: 0.6, 64: 0.7, 128: 0.8, 256: 0.88}[k]


def test_the_design_snr_chooses_and_the_header_tells(analogue: Analogue) -> None:
    sent = codec(analogue, 64)
    assert [sent.mode(point) for point in (-7, 1.9, 2, 10, np.nan)] == [0, 0, 1, 1, 0]
    x = sent.encode(E, np.repeat(np.float32([0, 10]), 20))
    np.testing.assert_allclose(np.mean(np.abs(x) ** 2, axis=1), 1, atol=1e-4)
    noise = np.full(x.shape, 1e-2, np.float32)
    by_category = codec(analogue, 64).with_mode(0).decode(x[:20], noise[:20])
    plain = codec(analogue, 64).with_mode(1)
    alone = plain.decode(x[20:], noise[20:])
    assert by_category.log_posterior is not None
    assert (alone.log_posterior, plain.categories(E)) == (None, None)
    unknown = plain.decode(x[20:], np.full_like(noise[20:], np.nan))
    cosine = (unknown.embeddings * alone.embeddings).sum(1) / np.linalg.norm(unknown.embeddings, axis=1)
    assert (cosine / np.linalg.norm(alone.embeddings, axis=1)).min() > 0.99
    with pytest.raises(InvalidInput, match="no mode 1"):
        Nested.load(64, "cpu").with_mode(1)


def test_rounds_always_take_the_mode_whose_codes_are_prefixes(analogue: Analogue) -> None:
    snr_db = np.full(len(E), 12, np.float32)
    short, long = (codec(analogue, k).in_rounds() for k in (64, 256))
    assert (short.mode(12), long.mode(12)) == (0, 0)
    np.testing.assert_array_equal(long.encode(E, snr_db)[:, :32], short.encode(E, snr_db))


def test_shipped_weights_keep_their_fingerprint_and_mode(analogue: Analogue) -> None:
    shipped = Nested.load(64, "cpu")
    assert shipped.fingerprint != codec(analogue, 64).fingerprint
    assert shipped.mode(30) == 0
