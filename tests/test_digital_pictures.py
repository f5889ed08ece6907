"""Conventional pictures over LDPC and QAM: budgets, damage, mosaics, and what has no form at a bandwidth."""

import io

import numpy as np
import pytest
from PIL import Image

from lab.evaluate.air import Air
from lab.evaluate.data import ClipChoice, TestSet, load_choice
from lab.evaluate.judge import psnr_db
from lab.evaluate.mosaics import DigitalMosaic, tile, to_blocks, untile
from lab.evaluate.pictures import DigitalPictures
from lab.evaluate.scenario import Scenario
from lab.evaluate.scheme import Arrival, Batch, CannotExist, Setting
from lab.features import Features
from shared.clip import embed_pictures
from shared.codecs.images.adaptation import MCS, Adaptation
from shared.codecs.images.formats import FORMATS
from shared.codecs.images.ldpc import to_bits, to_bytes
from shared.codecs.picture import GREY


def picture(seed: int = 0, side: int = 32) -> np.ndarray:
    """A smooth picture with an edge: what codecs are made for."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8))
    return np.asarray(small.resize((side, side), Image.Resampling.BICUBIC))


@pytest.mark.parametrize("name", FORMATS)
def test_the_best_file_within_a_budget(name: str) -> None:
    kind = FORMATS[name]
    pixels = picture()
    sizes = [len(data) for budget in (300, 500, 700, 1000) if (data := kind.best_within(pixels, budget))]
    assert sizes == sorted(sizes)
    assert len(sizes) >= 2
    assert sizes[-1] <= 1000
    assert kind.best_within(pixels, 20) is None
    decoded = kind.decode(kind.best_within(pixels, 1000))
    assert decoded.shape == pixels.shape
    assert np.mean((decoded.astype(float) - pixels) ** 2) < 100


@pytest.mark.parametrize("name", FORMATS)
def test_the_header_is_what_pictures_share(name: str) -> None:
    """Two files of one size and quality: behind their headers they differ, and the coded part is not empty."""
    kind = FORMATS[name]
    data = kind.encode(picture(1, 64), 30)
    header = kind.header_bytes(data)
    assert 20 <= header < len(data)
    assert kind.best_within(picture(1, 64), len(data) - header, free_header=True) is not None


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("damage", ["empty", "cut", "noise"])
def test_damaged_files_are_no_accident(name: str, damage: str) -> None:
    kind = FORMATS[name]
    data = kind.encode(picture(), 30)
    noise = np.random.default_rng(0).integers(0, 256, len(data), dtype=np.uint8).tobytes()
    broken = {"empty": b"", "cut": data[: len(data) // 2], "noise": noise}[damage]
    decoded = kind.decode(broken)
    assert decoded is None or decoded.dtype == np.uint8


def test_messages_and_mosaics_come_back() -> None:
    data = bytes(range(200))
    assert to_bytes(to_bits(data, 1700))[:200] == data
    blocks = to_blocks(data, 3, 700)
    assert blocks.shape == (3, 700)
    assert b"".join(to_bytes(block[:-24]) for block in blocks)[:200] == data
    pictures = np.stack([picture(seed) for seed in range(7)])
    mosaic = tile(pictures)
    assert mosaic.shape == (96, 96, 3)
    np.testing.assert_array_equal(untile(mosaic, pictures), pictures)
    assert io.BytesIO(FORMATS["webp"].encode(mosaic, 50)).getbuffer().nbytes > 100


def adaptation() -> Adaptation:
    """Thresholds 2 dB above capacity, and pictures that are worth more with more bytes."""
    thresholds = [10 * np.log10(2 ** (mcs.order * mcs.rate) - 1) + 2 for mcs in MCS]
    worth = [(60, 0.0), (100, 0.3), (400, 0.5)]
    return Adaptation({"none": thresholds, "fast": [at + 9 for at in thresholds]}, dict.fromkeys(FORMATS, worth))


def test_the_rate_adapts_to_the_channel() -> None:
    """Over AWGN the fastest that is decoded; under block fading a slower one, since a deep fade loses all."""
    chosen = adaptation()

    def rate(snr_db: float, fading: str) -> float:
        mcs = chosen.choose(snr_db, fading, lambda mcs: chosen.accuracy("webp", int(40 * mcs.order * mcs.rate)))
        return mcs.order * mcs.rate

    assert rate(0, "none") < rate(10, "none") < rate(20, "none")
    assert np.log2(1 + 10) * 0.6 < rate(10, "none") < np.log2(1 + 10)
    assert rate(20, "block") < rate(20, "none")
    assert rate(10, "fast") < rate(10, "none")
    assert chosen.accuracy("webp", 59) == 0
    assert chosen.accuracy("webp", 250) == pytest.approx(0.4)


@pytest.fixture(scope="module")
def pictures() -> tuple[np.ndarray, TestSet]:
    """48 small pictures as queries, and a knowledge base of their embeddings."""
    pixels = np.stack([picture(seed) for seed in range(48)])
    clip = load_choice(ClipChoice())
    names = np.array([f"{n:02d}" for n in range(48)])
    known = Features(embed_pictures(pixels, clip), names, names)
    return pixels, TestSet(known, known, pixels, clip.fingerprint)


def outcome(name: str, k: int, snr_db: float, fading: str, pictures: tuple[np.ndarray, TestSet]) -> Arrival:
    pixels, test_set = pictures
    (point,) = Scenario.model_validate(
        {
            "title": "pictures",
            "snr_db": [snr_db],
            "scheme": [{"name": name, "k": [k]}],
            "channel": [{"csi": "perfect", "settings": {"fading": fading}}],
        }
    ).points()
    known = test_set.queries.embeddings
    kind = DigitalMosaic if name.endswith("mosaic") else DigitalPictures
    scheme = kind(k, Setting(name, test_set.clip, known, np.arange(48)), adaptation())
    return scheme.send(Batch(known, pixels, snr_db), Air(point, 0, np.arange(48)))


@pytest.mark.parametrize("name", ["webp-ldpc", "webp-ldpc-mosaic", "jpeg-ldpc-mosaic"])
@pytest.mark.parametrize("fading", ["none", "rayleigh"])
def test_pictures_arrive(name: str, fading: str, pictures) -> None:
    """At 25 dB over AWGN all of them and sharp; under fading most of those that are sent one by one."""
    arrived = outcome(name, 1024, 25.0, fading, pictures)
    assert arrived.pixels.shape == pictures[0].shape
    assert arrived.decoded.embeddings.shape == (48, 512)
    quality = psnr_db(pictures[0], arrived.pixels)
    if fading == "none":
        assert not arrived.lost.any()
        assert quality.min() > 25
    else:
        assert arrived.lost.mean() < 0.4
        assert np.median(quality) > 25
    if arrived.lost.shape == (48,):
        assert (arrived.pixels[arrived.lost] == GREY).all()


def test_what_is_lost_of_a_mosaic_is_grey_or_damaged(pictures) -> None:
    """A mosaic that is sent too fast: the thresholds say 20 dB, the channel has 12."""
    pixels, test_set = pictures
    hopeful = adaptation()
    hopeful = Adaptation({name: [at - 8 for at in row] for name, row in hopeful.thresholds_db.items()}, hopeful.worth)
    (point,) = Scenario.model_validate(
        {"title": "t", "snr_db": [12], "scheme": [{"name": "m", "k": [1024]}], "channel": [{"csi": "perfect"}]}
    ).points()
    known = test_set.queries.embeddings
    scheme = DigitalMosaic(1024, Setting("webp-ldpc-mosaic", test_set.clip, known, np.arange(48)), hopeful)
    arrived = scheme.send(Batch(known, pixels, 12.0), Air(point, 0, np.arange(48)))
    assert arrived.lost.all()
    assert psnr_db(pixels, arrived.pixels).mean() < 20


@pytest.mark.parametrize(("name", "k", "snr_db"), [("jpeg-ldpc", 256, 25.0), ("hevc-ldpc-mosaic", 16, -7.0)])
def test_what_has_no_form_says_so(name: str, k: int, snr_db: float, pictures) -> None:
    with pytest.raises(CannotExist, match=r"(file as small|mosaic of)"):
        outcome(name, k, snr_db, "none", pictures)


def test_shipped_thresholds_are_what_codes_can_do() -> None:
    """Above Shannon's capacity log2(1 + SNR), by at most 4 dB; rising with the rate; fading costs."""
    shipped = Adaptation.load()
    efficiency = np.array([mcs.order * mcs.rate for mcs in MCS])
    gap_db = np.array(shipped.thresholds_db["none"]) - 10 * np.log10(2**efficiency - 1)
    assert gap_db.min() > 1
    assert gap_db.max() < 4
    for order in (2, 4, 6):
        rows = [row for row, mcs in enumerate(MCS) if mcs.order == order]
        for thresholds in shipped.thresholds_db.values():
            assert sorted(thresholds[row] for row in rows) == [thresholds[row] for row in rows]
    assert (np.array(shipped.thresholds_db["fast"]) >= np.array(shipped.thresholds_db["none"])).all()
    assert set(shipped.worth) == set(FORMATS)
    assert all(shipped.accuracy(kind, 1000) > 0.6 > shipped.accuracy(kind, 60) == 0 for kind in FORMATS)
