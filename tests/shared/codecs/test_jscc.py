"""Learned codecs of pictures: power, prefixes, shapes, SNR, files, and their way through the air."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch

from lab.data.features import CLIP_TINY, load_choice
from lab.evaluate.pictures import PictureScheme
from lab.evaluate.scenario import ChannelSpec, Scenario, SchemeSpec
from lab.evaluate.scheme import Batch, CannotExist, check_length
from lab.evaluate.scorer import psnr_db
from lab.train.common.output import export
from lab.train.jscc import JsccSettings
from lab.train.jscc.init import start_as_linear_code
from shared.codecs import codec_class
from shared.codecs.picture.jscc.codec import JsccCodec
from shared.codecs.picture.jscc.network import JsccNetwork, network_class, reliability_of
from shared.errors import DataLoss, InvalidPicture, InvalidSetting, NotFound
from shared.types import Complex, Pixels
from shared.units import n0_from_snr_db
from tests.tools.pictures import coarse_pictures

NAMES = ["deepjscc", "swinjscc"]


def kind_of(name: str) -> type[JsccCodec]:
    kind = codec_class(name)
    assert issubclass(kind, JsccCodec)
    return kind


def network_of(name: str, seed: int = 1) -> JsccNetwork:
    torch.manual_seed(seed)
    return network_class(kind_of(name).network_place)()


def codec_of(name: str, k: int = 512) -> JsccCodec:
    return kind_of(name).of_network(network_of(name), k, "cpu")


@pytest.mark.parametrize("name", NAMES)
def test_codec_and_network_have_the_same_lengths(name: str) -> None:
    assert kind_of(name).lengths == network_class(kind_of(name).network_place).lengths


def noisy(x: Complex, snr_db: float, seed: int = 0) -> Complex:
    rng = np.random.default_rng(seed)
    n = rng.normal(size=x.shape) + 1j * rng.normal(size=x.shape)
    return (x + np.sqrt(n0_from_snr_db(snr_db) / 2) * n).astype(np.complex64)


def told(x: Complex, snr_db: float) -> np.ndarray:
    return np.full(x.shape, n0_from_snr_db(snr_db), np.float32)


@pytest.fixture(scope="module")
def pictures() -> Pixels:
    """Smooth coloured blobs, 12 of them: noise would be no picture."""
    rng = np.random.default_rng(4)
    coarse = torch.from_numpy(rng.uniform(0, 255, (12, 3, 4, 4)))
    fine = torch.nn.functional.interpolate(coarse, size=32, mode="bicubic").clamp(0, 255)
    return fine.round().byte().permute(0, 2, 3, 1).numpy()


@pytest.mark.parametrize("name", NAMES)
def test_every_length_gives_unit_power_and_pictures_back(name: str, pictures: Pixels) -> None:
    for k in kind_of(name).lengths:
        codec = codec_of(name, k)
        x = codec.encode(pictures, np.full(len(pictures), 3, np.float32))
        assert (x.shape, x.dtype) == ((12, k // 2), np.complex64)
        np.testing.assert_allclose(np.mean(np.abs(x) ** 2, axis=1), 1, atol=1e-5)
        decoded, missing = codec.decode(noisy(x, 5), told(x, 5))
        assert missing == [""] * 12
        assert (decoded.shape, decoded.dtype) == (pictures.shape, np.uint8)


def test_short_codes_are_the_beginning_of_the_long_one(pictures: Pixels) -> None:
    """Up to the scale that gives each unit power; the convolutional encoder knows nothing of k."""
    long = codec_of("deepjscc", 512).encode(pictures)
    for k in (64, 128, 256):
        start = long[:, : k // 2]
        start = start / np.sqrt(np.mean(np.abs(start) ** 2, axis=1, keepdims=True))
        np.testing.assert_allclose(codec_of("deepjscc", k).encode(pictures), start, atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_is_its_pictures_one_by_one(name: str, pictures: Pixels) -> None:
    codec = codec_of(name, 64)
    snr_db = np.linspace(-7, 10, len(pictures), dtype=np.float32)
    x = codec.encode(pictures, snr_db)
    single = np.concatenate([codec.encode(pictures[i : i + 1], snr_db[i : i + 1]) for i in range(len(pictures))])
    np.testing.assert_allclose(x, single, atol=1e-4)
    y, n0 = noisy(x, 0), told(x, 0)
    single = np.concatenate([codec.decode(y[i : i + 1], n0[i : i + 1]).pixels for i in range(len(y))])
    assert np.abs(codec.decode(y, n0).pixels.astype(int) - single).max() <= 1


def test_the_sender_without_an_operating_point_takes_the_default(pictures: Pixels) -> None:
    codec = codec_of("swinjscc")
    default = codec.encode(pictures, np.full(len(pictures), 5, np.float32))
    unknown = np.full(len(pictures), np.nan, np.float32)
    np.testing.assert_array_equal(codec.encode(pictures), default)
    np.testing.assert_array_equal(codec.encode(pictures, unknown), default)
    assert not np.allclose(codec.encode(pictures, np.full(12, -7, np.float32)), default)


@pytest.mark.parametrize("name", NAMES)
def test_noise_that_is_not_told_is_measured(name: str, pictures: Pixels) -> None:
    """512 symbols tell their noise power to a few percent, so the pictures are nearly the same."""
    codec = codec_of(name)
    x = codec.encode(pictures)
    y = noisy(x, 0)
    known = codec.decode(y, told(x, 0)).pixels.astype(float)
    blind = codec.decode(y, np.full(x.shape, np.nan, np.float32)).pixels
    assert np.abs(known - blind).mean() < 2


def test_reliability_is_the_wiener_gain() -> None:
    snr_db = torch.tensor([-7.0, 0.0, 10.0])
    snr = 10 ** (snr_db / 10)
    torch.testing.assert_close(reliability_of(snr_db), snr / (1 + snr))


@pytest.mark.parametrize("name", NAMES)
def test_wrong_input_is_named(name: str, pictures: Pixels) -> None:
    codec = codec_of(name)
    with pytest.raises(InvalidPicture, match=r"\[12, 16, 32, 3\].*resize"):
        codec.encode(pictures[:, ::2])
    with pytest.raises(InvalidPicture, match="float64"):
        codec.encode(pictures.astype(np.float64))  # type: ignore[arg-type]
    with pytest.raises(InvalidSetting, match="k = 48; it has"):
        codec_of(name, 48)
    with pytest.raises(NotFound, match="deepjscc, "):
        codec_class("hologram")


@pytest.mark.parametrize("name", NAMES)
def test_weights_survive_a_file_and_the_fingerprint_is_theirs(name: str, pictures: Pixels, tmp_path: Path) -> None:
    kind = kind_of(name)
    settings = JsccSettings(name=name, data="", out=tmp_path)
    export(network_of(name).state_dict(), settings, "model.safetensors")
    path = tmp_path / "model.safetensors"
    first, again, short = (
        kind.from_file(path, 512, "cpu"),
        kind.from_file(path, 512, "cpu"),
        kind.from_file(path, 64, "cpu"),
    )
    assert first.fingerprint == again.fingerprint != short.fingerprint
    x = first.encode(pictures)
    np.testing.assert_allclose(x, codec_of(name).encode(pictures), atol=0.02)  # float16
    export(network_of(name, seed=2).state_dict(), settings, "model.safetensors")
    assert kind.from_file(path, 512, "cpu").fingerprint != first.fingerprint
    other = kind_of(next(one for one in NAMES if one != name))
    with pytest.raises(DataLoss, match=f"no weights of codec {other.name}"):
        other.from_file(path, 512, "cpu").encode(pictures)


def test_pictures_go_through_the_air_and_are_embedded() -> None:
    many_pictures = coarse_pictures()
    clip = load_choice(CLIP_TINY)
    network = network_of("swinjscc")
    start_as_linear_code(network, many_pictures)
    sender, receiver = (kind_of("swinjscc").of_network(copy.deepcopy(network), 512, "cpu") for _ in range(2))
    scheme = PictureScheme(sender, receiver, clip)
    pixels = many_pictures[:40]
    quality = []
    for snr_db in (-7.0, 10.0):
        (point,) = Scenario(
            title="test", snr_db=(snr_db,), scheme=(SchemeSpec(name="swinjscc", k=(512,)),), channel=(ChannelSpec(),)
        ).points()
        batch = Batch(
            np.zeros((40, 512), np.float32), pixels, np.arange(40), snr_db
        )  # the sender has no use for embeddings
        arrival = scheme.send(batch, point.chain(seed=1))
        assert arrival.pixels is not None
        np.testing.assert_allclose(np.linalg.norm(arrival.decoded.embeddings, axis=1), 1, atol=1e-3)
        quality.append(psnr_db(pixels, arrival.pixels).mean())
    assert quality[1] > quality[0] + 2
    assert scheme.cost.params > 900_000
    assert scheme.cost.macs > 20_000_000


def test_a_length_that_makes_no_sense_is_shown_as_such() -> None:
    with pytest.raises(CannotExist, match="deepjscc has no length k = 16; it has 64, 128, 256, 512"):
        check_length(kind_of("deepjscc"), 16)
