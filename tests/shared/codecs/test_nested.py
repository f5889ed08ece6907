"""The codec nested: its model against textbook formulas, its code's promises, its weights over the air."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from scipy.stats import multivariate_normal

from shared.codecs import codec_class
from shared.codecs.embedding.nested import Nested
from shared.codecs.embedding.nested_model import NestedModel, Prefix, expected_coordinates, log_likelihood, superpose
from shared.codecs.embedding.nested_shape import LENGTHS, SEGMENTS, axis_pattern, latent_noise
from shared.errors import DataLoss, NotFound
from shared.types import Complex, Embeddings
from shared.units import n0_from_snr_db
from tests.tools.nested import AXES, CLASSES, POINTS, codec, mixture_of, some_model


@pytest.fixture(scope="module")
def model() -> NestedModel:
    return some_model()


@pytest.fixture(scope="module")
def embeddings(model: NestedModel) -> Embeddings:
    return mixture_of(model)


def over_awgn(x: Complex, snr_db: float, seed: int = 0) -> Complex:
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal(x.shape) + 1j * rng.standard_normal(x.shape)
    return (x + np.sqrt(n0_from_snr_db(snr_db) / 2) * noise).astype(np.complex64)


def unknown(x: Complex) -> "np.ndarray":
    return np.full(x.shape, np.nan, np.float32)


def test_every_segment_of_every_burst_has_unit_power(model: NestedModel, embeddings: Embeddings) -> None:
    for snr_db in (-30.0, -8.0, 1.0, 12.0, 60.0):
        x = codec(model, 256).encode(embeddings, np.full(len(embeddings), snr_db, np.float32))
        assert (x.shape, x.dtype) == ((300, 128), np.complex64)
        for start, stop in SEGMENTS:
            power = np.mean(np.abs(x[:, start // 2 : stop // 2].astype(np.complex128)) ** 2, axis=1)
            np.testing.assert_allclose(power, 1, atol=1e-5)


def test_the_word_fills_a_segment_that_the_refinement_would_overfill(model: NestedModel) -> None:
    words = model.words[0, :5]
    sent = superpose(words, 9 * torch.randn(5, 256))
    for start, stop in SEGMENTS:
        torch.testing.assert_close(sent[:, start:stop].square().mean(dim=1), torch.ones(5), atol=1e-5, rtol=0)


def test_a_short_code_is_the_beginning_of_the_long_one_bit_for_bit(model: NestedModel, embeddings: Embeddings) -> None:
    points = np.linspace(-10, 14, len(embeddings)).astype(np.float32)
    whole = codec(model, 256).encode(embeddings, points)
    for k in LENGTHS:
        assert codec(model, k).encode(embeddings, points).tobytes() == whole[:, : k // 2].tobytes()


def test_an_unknown_operating_point_is_the_default(model: NestedModel, embeddings: Embeddings) -> None:
    made = codec(model, 64)
    default = made.encode(embeddings)
    assert np.array_equal(made.encode(embeddings, np.full(300, np.nan, np.float32)), default)
    assert np.array_equal(made.encode(embeddings, np.full(300, 0, np.float32)), default)
    assert not np.array_equal(made.encode(embeddings, np.full(300, -8, np.float32)), default)


@pytest.mark.parametrize("k", [8, 64, 256])
def test_a_batch_gives_what_each_gives_alone(model: NestedModel, embeddings: Embeddings, k: int) -> None:
    """Tolerance: rounding of float32 in another order of summation."""
    made, points = codec(model, k), np.linspace(-8, 12, 20).astype(np.float32)
    x = made.encode(embeddings[:20], points)
    y = over_awgn(x, 3)
    n0 = np.full(y.shape, 0.5, np.float32)
    decoded = made.decode(y, n0)
    for row in range(20):
        np.testing.assert_allclose(made.encode(embeddings[row : row + 1], points[row : row + 1])[0], x[row], atol=2e-5)
        alone = made.decode(y[row : row + 1], n0[row : row + 1])
        np.testing.assert_allclose(alone.embeddings[0], decoded.embeddings[row], atol=1e-4)
        np.testing.assert_allclose(np.exp(alone.log_posterior[0]), np.exp(decoded.log_posterior[row]), atol=1e-3)


@pytest.mark.parametrize("same", [True, False], ids=["one noise", "noise of each symbol"])
def test_likelihood_and_estimate_are_those_of_the_gaussian_model(model: NestedModel, same: bool) -> None:
    """Against scipy's density with the full covariance, up to a constant, and the textbook's conditional mean."""
    k, rng = 16, np.random.default_rng(2)
    y = rng.standard_normal((4, k))
    noise = rng.uniform(0.2, 2, (4, 1 if same else k))
    tensors = [torch.from_numpy(part.astype(np.float32)) for part in (y, noise)]
    words, gains, place = model.words[3], model.gains[3], torch.from_numpy(axis_pattern(AXES))
    found = log_likelihood(*tensors, Prefix.of(words, gains[:, None] * place, k)).numpy()
    g = (gains[:, None] * place)[:k].double().numpy()
    means = words[:, :k].double().numpy()
    for row in range(4):
        covariance = g @ g.T + np.diag(np.broadcast_to(noise[row], k))
        expected = [multivariate_normal.logpdf(y[row], mean, covariance) for mean in means]
        np.testing.assert_allclose(found[row] - found[row, 0], expected - expected[0], rtol=1e-3, atol=2e-3)
        z = g.T @ np.linalg.solve(covariance, y[row] - means[5])
        estimate = expected_coordinates(
            *(part[row : row + 1] for part in tensors), words[5:6], gains[None], place
        ).numpy()[0]
        np.testing.assert_allclose(estimate, z, rtol=1e-3, atol=1e-4)


def test_two_operating_points_are_compared_on_one_scale(model: NestedModel) -> None:
    """What `log_likelihood` leaves out must not depend on gains."""
    k = 32
    y, noise = torch.randn(1, k, generator=torch.Generator().manual_seed(0)), torch.full((1, 1), 0.3)
    found, expected = [], []
    for point in (0, POINTS - 1):
        carried = model.gains[point][:, None] * model.place
        found.append(float(log_likelihood(y, noise, Prefix.of(model.words[point], carried, k))[0, 0]))
        covariance = (carried @ carried.T)[:k, :k].numpy() + 0.3 * np.eye(k)
        expected.append(multivariate_normal.logpdf(y[0].numpy(), model.words[point][0, :k].numpy(), covariance))
    assert found[1] - found[0] == pytest.approx(expected[1] - expected[0], rel=1e-3, abs=1e-2)


def test_more_symbols_and_more_snr_bring_the_estimate_nearer(model: NestedModel, embeddings: Embeddings) -> None:
    def error(k: int, snr_db: float) -> float:
        made = codec(model, k)
        x = made.encode(embeddings, np.full(300, snr_db, np.float32))
        decoded = made.decode(over_awgn(x, snr_db), unknown(x))
        return float(np.mean(np.sum((decoded.embeddings - embeddings) ** 2, axis=1)))

    assert error(256, 12) < error(64, 12) < error(8, 12)
    assert error(64, 12) < error(64, 0) < error(64, -8)
    assert error(256, 12) < 0.02


def test_a_wrong_operating_point_costs_little(model: NestedModel, embeddings: Embeddings) -> None:
    """The sender expects 12 dB, the channel has 4 dB: still most categories arrive. The receiver is not told."""
    made = codec(model, 64)
    sent = made.categories(embeddings).argmax(axis=1)
    x = made.encode(embeddings, np.full(300, 12, np.float32))
    log_posterior = made.decode(over_awgn(x, 4), unknown(x)).log_posterior
    assert np.mean(log_posterior.argmax(axis=1) == sent) > 0.9


def test_a_prior_decides_what_noise_hides(model: NestedModel, embeddings: Embeddings) -> None:
    made = codec(model, 8)
    log_prior = np.full(CLASSES, -30, np.float32)
    log_prior[3] = 0
    x = made.encode(embeddings)
    decoded = made.with_prior(log_prior).decode(over_awgn(x, -20), unknown(x))
    assert (decoded.log_posterior.argmax(axis=1) == 3).mean() > 0.99
    assert not (made.decode(over_awgn(x, -20), unknown(x)).log_posterior.argmax(axis=1) == 3).all()


def test_a_receiver_that_is_not_told_the_noise_does_nearly_as_well(model: NestedModel, embeddings: Embeddings) -> None:
    """At operating points of the sender that are right, and 4 dB off. 300 bursts: a standard error of 0.02 or less."""
    for k, snr_db, point_db in ((8, 10, 10), (64, 0, 0), (64, 10, 10), (64, 4, 8), (256, -4, 0)):
        made = codec(model, k)
        sent = made.categories(embeddings).argmax(axis=1)
        y = over_awgn(made.encode(embeddings, np.full(300, point_db, np.float32)), snr_db)
        told, blind = (
            made.decode(y, n0).log_posterior.argmax(axis=1) == sent
            for n0 in (np.full(y.shape, n0_from_snr_db(snr_db), np.float32), unknown(y))
        )
        assert blind.mean() > told.mean() - 0.05


def test_bursts_with_known_and_unknown_noise_go_together(model: NestedModel, embeddings: Embeddings) -> None:
    made = codec(model, 64)
    y = over_awgn(made.encode(embeddings[:6]), 3)
    mixed = np.full(y.shape, 0.5, np.float32)
    mixed[::2] = np.nan
    together = made.decode(y, mixed).embeddings
    apart = [made.decode(y[row : row + 1], mixed[row : row + 1]).embeddings[0] for row in range(6)]
    np.testing.assert_allclose(together, apart, atol=1e-4)


def exactly(model: NestedModel, tensors: "tuple[np.ndarray, ...]") -> tuple[torch.Tensor, torch.Tensor]:
    """What the model decodes in float64."""
    torch.set_default_dtype(torch.float64)
    try:
        exact = NestedModel(**model.state_dict()).double()
        return exact.decode(*(torch.from_numpy(part.astype(np.float64)) for part in tensors))
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("shared_axes", [False, True])
@pytest.mark.parametrize("snr_db", [-7.0, 3.0, 20.0])
def test_numpy_gives_what_the_model_gives(
    model: NestedModel, embeddings: Embeddings, snr_db: float, shared_axes: bool
) -> None:
    """The processor's way to compute, and the model itself: both round alike.

    Log-likelihoods are sums of large terms. Float32 rounds embeddings by up to 2e-3 at 20 dB and k = 256.
    """
    if shared_axes:
        model = NestedModel(**(model.state_dict() | {"axes": model.axes[:1]}))
    points = np.arange(300) % POINTS
    for k in LENGTHS:
        made = codec(model, k)
        x = made.encode(embeddings, model.points_db.numpy()[points])
        latent = model.encode(torch.from_numpy(embeddings), torch.from_numpy(points))[:, :k].numpy()
        np.testing.assert_allclose(x.view(np.float32) / np.sqrt(0.5), latent, atol=2e-5)
        n0, log_prior = n0_from_snr_db(snr_db), np.log(np.random.default_rng(k).dirichlet(np.ones(CLASSES)))
        y = over_awgn(x, snr_db)
        found = made.with_prior(log_prior.astype(np.float32)).decode(y, np.full(y.shape, n0, np.float32))
        tensors = (y.view(np.float32) / np.float32(np.sqrt(0.5)), np.full((300, 1), n0, np.float32), log_prior)
        wanted, log_posterior = model.decode(*(torch.from_numpy(part.astype(np.float32)) for part in tensors))
        exact, exact_posterior = exactly(model, tensors)
        for one, other, right in (
            (found.embeddings, wanted, exact),
            (np.exp(found.log_posterior), log_posterior.exp(), exact_posterior.exp()),
        ):
            rounding = float((other - right).abs().max())
            np.testing.assert_allclose(one, right, atol=max(1e-4, 2 * rounding))


def test_noise_of_symbols_becomes_noise_of_dimensions() -> None:
    one = np.full((3, 4), 0.5, np.float32)
    assert latent_noise(one).shape == (3, 1)
    assert latent_noise(one * np.float32(np.nan)).shape == (3, 1)
    told = latent_noise(np.tile(np.linspace(0.1, 1, 4, dtype=np.float32), (3, 1)))
    assert told.shape == (3, 8)
    assert told[0, 0] == told[0, 1] == np.float32(0.1)


def saved(path: Path, model: NestedModel, **changes: torch.Tensor) -> Path:
    save_file(
        {name: part.contiguous() for name, part in {**model.state_dict(), **changes}.items()},
        path,
        {"clip_fingerprint": "c0ffee"},
    )
    return path


def test_a_saved_model_is_the_same_codec_at_each_length(model: NestedModel, tmp_path: Path) -> None:
    path = saved(tmp_path / "model.safetensors", model)
    loaded = {k: Nested.from_file(path, k, "cpu") for k in LENGTHS}
    assert {made.fingerprint for made in loaded.values()} == {codec(model, k).fingerprint for k in LENGTHS}
    assert len({made.fingerprint for made in loaded.values()}) == len(LENGTHS)
    assert loaded[8].clip_fingerprint == "c0ffee"
    assert codec(some_model(seed=5), 8).fingerprint != loaded[8].fingerprint


@pytest.mark.parametrize("name", ["gains", "weight"])
def test_a_damaged_file_is_named(model: NestedModel, tmp_path: Path, name: str) -> None:
    path = saved(tmp_path / "a.safetensors", model, **{name: torch.full_like(model.state_dict()[name], torch.nan)})
    with pytest.raises(DataLoss, match=r"a\.safetensors.*NaN"):
        Nested.from_file(path, 8, "cpu")
    rest = {key: value.contiguous() for key, value in model.state_dict().items() if key != name}
    save_file(rest, path, {"clip_fingerprint": "c0ffee"})
    with pytest.raises(DataLoss, match=name):
        Nested.from_file(path, 8, "cpu")


@pytest.mark.parametrize("name", ["nested", "label"])
def test_missing_weights_say_what_to_type(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("shared.codecs.base.weight_files.files", lambda _: tmp_path)
    with pytest.raises(NotFound, match=f"semlink train {name}"):
        codec_class(name).load(64, "cpu")
