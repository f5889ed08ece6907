"""numpy decodes nested for any noise as torch does."""

import numpy as np
import pytest

from shared.codecs.base.contract import to_latent
from shared.codecs.embedding.nested_arrays import NestedArrays
from shared.codecs.embedding.nested_model import NestedModel
from shared.codecs.embedding.nested_noises import decode_any_noise
from shared.codecs.embedding.nested_torch import NestedInTorch
from shared.types import Embeddings
from tests.tools.nested import codec, mixture_of, some_model


@pytest.fixture(scope="module")
def model() -> NestedModel:
    return some_model()


@pytest.fixture(scope="module")
def embeddings(model: NestedModel) -> Embeddings:
    return mixture_of(model)


@pytest.mark.parametrize("kind", ["unknown", "one", "each", "segments", "some unknown"])
def test_numpy_decodes_any_noise_as_torch_does(model: NestedModel, embeddings: Embeddings, kind: str) -> None:
    k, rng = 64, np.random.default_rng(3)
    x = to_latent(codec(model, k).encode(embeddings[:20], np.full(20, 3, np.float32))) / np.float32(0.5**0.5)
    power = {
        "unknown": np.full((20, 1), np.nan),
        "one": rng.uniform(0.1, 1, (20, 1)),
        "each": np.repeat(rng.uniform(0.1, 1, (20, k // 2)), 2, axis=1),
        "segments": np.repeat(rng.uniform(0.1, 1, (20, 4)), (8, 8, 16, 32), axis=1),
        "some unknown": np.where(np.arange(20) % 3 == 0, np.nan, 0.4)[:, None],
    }[kind].astype(np.float32)
    y = (x + np.sqrt(np.nan_to_num(power, nan=0.3)) * rng.normal(size=x.shape)).astype(np.float32)
    prior = rng.normal(size=len(model.bias)).astype(np.float32)
    arrays = {name: part.numpy() for name, part in model.named_buffers()}
    found = decode_any_noise(NestedArrays(arrays, k), y, power, prior)
    expected = NestedInTorch(model, None, "cpu").decode(y, power, prior)
    np.testing.assert_allclose(found[0], expected[0], atol=1e-4)
    np.testing.assert_allclose(found[1], expected[1], atol=1e-3)
