"""Conventional pictures over LDPC and QAM: budgets, damage, mosaics, and what has no form at a bandwidth."""

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lab.data.features import ClipChoice, Features, load_choice
from lab.evaluate.bpg import BpgLdpc, bpg_header_bytes
from lab.evaluate.data import TestSet
from lab.evaluate.mosaics import DigitalMosaic, tile, to_blocks, untile
from lab.evaluate.pictures import DigitalPictures
from lab.evaluate.scenario import Scenario
from lab.evaluate.scheme import Arrival, Batch, CannotExist, Setting
from lab.evaluate.scorer import psnr_db
from shared.clip import embed_pictures
from shared.codecs.base.picture import GREY
from shared.codecs.picture.formats import FORMATS
from shared.codecs.picture.ldpc import LOST, NO_FILE, HevcLdpc, PictureLdpc, WebpLdpc, to_bits, to_bytes
from shared.codecs.picture.link_adaptation import MCS, Adaptation
from shared.errors import InvalidInput, InvalidSetting, NotFound


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


def noisy(x: np.ndarray, snr_db: float) -> tuple[np.ndarray, np.ndarray]:
    """Symbols after AWGN, and their noise power."""
    rng, n0 = np.random.default_rng(1), 10 ** (-snr_db / 10)
    noise = rng.normal(size=x.shape) + 1j * rng.normal(size=x.shape)
    return (x + np.sqrt(n0 / 2) * noise).astype(np.complex64), np.full(x.shape, n0, np.float32)


@pytest.mark.parametrize(("kind", "low_db", "high_db"), [(WebpLdpc, 3.0, 8.0), (HevcLdpc, 10.0, 15.0)])
def test_a_codec_of_pictures_sends_what_its_format_keeps(
    kind: type[PictureLdpc], low_db: float, high_db: float
) -> None:
    """Of operating points in one batch each picture has its own mode; what is decoded is the file, pixel by pixel."""
    codec, pixels = kind(4096, Adaptation.load()), np.stack([picture(seed) for seed in range(4)])
    points = np.array([low_db, high_db, low_db, high_db], np.float32)
    x = codec.encode(pixels, points)
    np.testing.assert_allclose(np.mean(np.abs(x) ** 2, axis=1), 1, atol=1e-5)
    y, n0 = noisy(x, 25.0)
    assert codec.mode(low_db) != codec.mode(high_db)
    for snr_db, rows in ((low_db, [0, 2]), (high_db, [1, 3])):
        mode = codec.mode(snr_db)
        decoded, missing = codec.with_mode(mode).decode(y[rows], n0[rows])
        assert missing == ["", ""]
        expected = [codec.format.decode(file) for file in codec.files(pixels[rows], mode)]
        np.testing.assert_array_equal(decoded, np.stack(expected))


def test_what_does_not_arrive_is_grey_and_says_why() -> None:
    codec = WebpLdpc(1024, Adaptation.load())
    pixels = np.stack([picture(seed) for seed in range(3)])
    mode = codec.mode(10.0)
    x = codec.encode(pixels, np.full(3, 10, np.float32))
    decoded, missing = codec.with_mode(mode).decode(*noisy(x, -5.0))
    assert missing == [LOST] * 3  # each CRC is right by chance once in 16 million times
    assert (decoded == GREY).all()
    low = codec.mode(-10.0)
    decoded, missing = codec.with_mode(low).decode(*noisy(codec.encode(pixels, np.full(3, -10, np.float32)), 10.0))
    assert missing == [NO_FILE] * 3
    assert (decoded == GREY).all()
    for wrong in (-1, 35, 0):  # 30 bits at the lowest rate: not a byte beside the CRC
        with pytest.raises(InvalidInput, match=f"no mode {wrong}"):
            codec.with_mode(wrong)
    with pytest.raises(InvalidSetting, match="no MCS carries a byte"):
        WebpLdpc(8, Adaptation.load())
    assert codec.for_fading("rayleigh").mode(20.0) < codec.mode(20.0)


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
    return scheme.send(Batch(known, pixels, np.arange(48), snr_db), point.chain(seed=0))


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
    arrived = scheme.send(Batch(known, pixels, np.arange(48), 12.0), point.chain(seed=0))
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


STAND_IN = """#!{python}
import pathlib, sys
with open({log!r}, "a") as log:
    print(pathlib.Path(sys.argv[0]).name, *sys.argv[1:], file=log)
target, source = sys.argv[sys.argv.index("-o") + 1], sys.argv[-1]
pathlib.Path(target).write_bytes(pathlib.Path(source).read_bytes())
"""


def test_bpg_is_its_own_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With stand-ins that copy the picture and write down how they were called."""
    log = tmp_path / "calls"
    for program in ("bpgenc", "bpgdec"):
        (tmp_path / program).write_text(STAND_IN.format(python=sys.executable, log=str(log)), encoding="utf-8")
        (tmp_path / program).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    data = BpgLdpc.format.encode(picture(), 0)
    np.testing.assert_array_equal(BpgLdpc.format.decode(data), picture())
    BpgLdpc.format.encode(picture(), 95)
    assert BpgLdpc.format.decode(b"damaged") is None
    calls = [line.split() for line in log.read_text(encoding="utf-8").splitlines()]
    assert [call[0] for call in calls] == ["bpgenc", "bpgdec", "bpgenc", "bpgdec"]
    for call, parameter in ((calls[0], "51"), (calls[2], "3")):
        assert call[1:7] == ["-q", parameter, "-f", "420", "-m", "9"]
        assert (call[7], Path(call[8]).suffix, Path(call[9]).suffix) == ("-o", ".bpg", ".png")
    assert (calls[1][1], Path(calls[1][2]).suffix, Path(calls[1][3]).suffix) == ("-o", ".png", ".bpg")


def test_bpg_says_which_programs_are_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for kind, name in ((DigitalPictures, "bpg-ldpc"), (DigitalMosaic, "bpg-ldpc-mosaic")):
        with pytest.raises(NotFound, match=r"bpgenc and bpgdec.*bellard\.org"):
            kind(1024, Setting(name, ClipChoice(), np.zeros((1, 512), np.float32), np.zeros(1, np.int64)))


def test_the_header_of_bpg_ends_where_the_slices_begin() -> None:
    """Sizes of one and two bytes, with and without extension and alpha; 542 is the specification's own example."""
    slices = b"slices"
    plain = b"BPG\xfb" + bytes([0x20, 0x00]) + b"\x20" + b"\x84\x1e" + b"\x06" + b"\x02hh" + slices
    assert plain[bpg_header_bytes(plain) :] == slices
    rich = b"BPG\xfb" + bytes([0x30, 0x08]) + b"\x20\x20\x06" + b"\x03ext" + b"\x01a" + b"\x02hh" + slices
    assert rich[bpg_header_bytes(rich) :] == slices
