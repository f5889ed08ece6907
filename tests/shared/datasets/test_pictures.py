"""Decoding what users send: every mode becomes upright RGB, every bad input has its error."""

import io
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shared.datasets import decoding
from shared.datasets.decoding import decode_picture
from shared.errors import Exhausted, InvalidPicture
from tests.tools.paths import ROOT


def _save(image: Image.Image, format: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=format, **options)
    return buffer.getvalue()


def _pixel(data: bytes) -> tuple[int, ...]:
    return tuple(int(value) for value in np.asarray(decode_picture(data).image)[2, 2])


def _png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds no pixels to speak of."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("format", "tolerance"), [("PNG", 0), ("JPEG", 4), ("WEBP", 6), ("GIF", 0), ("BMP", 0), ("TIFF", 0)]
)
def test_formats(format: str, tolerance: int) -> None:
    data = _save(Image.new("RGB", (40, 30), (200, 40, 90)), format)
    decoded = decode_picture(data)
    assert (decoded.image.mode, decoded.image.size) == ("RGB", (40, 30))
    assert (decoded.source_width, decoded.source_height) == (40, 30)
    assert np.abs(np.array(_pixel(data)) - (200, 40, 90)).max() <= tolerance


def _palette() -> Image.Image:
    image = Image.new("P", (8, 8), 1)
    image.putpalette([0, 0, 0, 10, 200, 30])
    return image


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (Image.new("L", (8, 8), 77), (77, 77, 77)),
        (Image.new("1", (8, 8), 1), (255, 255, 255)),
        (Image.fromarray(np.full((8, 8), 128 * 256, dtype=np.uint16)), (128, 128, 128)),
        (_palette(), (10, 200, 30)),
        (Image.new("RGBA", (8, 8), (255, 0, 0, 0)), (255, 255, 255)),
        (Image.new("RGBA", (8, 8), (0, 0, 0, 51)), (204, 204, 204)),
        (Image.new("LA", (8, 8), (0, 255)), (0, 0, 0)),
    ],
    ids=["grey", "one bit", "16 bit", "palette", "transparent", "fifth of black on white", "grey with alpha"],
)
def test_modes(image: Image.Image, expected: tuple[int, int, int]) -> None:
    assert _pixel(_save(image)) == expected


def test_cmyk() -> None:
    assert np.abs(np.array(_pixel(_save(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG"))) - (255, 0, 0)).max() < 8


def test_animation_gives_its_first_frame() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    assert _pixel(_save(frames[0], "GIF", save_all=True, append_images=frames[1:])) == (255, 0, 0)


def test_exif_orientation_turns_the_picture_and_its_size() -> None:
    image = Image.new("RGB", (40, 20), "black")
    image.paste("white", (0, 0, 10, 20))  # the left edge as stored is the top as seen
    exif = Image.Exif()
    exif[0x0112] = 6
    decoded = decode_picture(_save(image, "JPEG", exif=exif, quality=95))
    assert decoded.image.size == (decoded.source_width, decoded.source_height) == (20, 40)
    pixels = np.asarray(decoded.image)
    assert pixels[:8].mean() > 240
    assert pixels[-8:].mean() < 15


def test_a_phone_photo_decodes_at_a_fraction() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    data = _save(Image.fromarray(noise).resize((4000, 3000)), "JPEG")
    started = time.process_time()
    quick = decode_picture(data, target_size=224)
    quick_seconds = time.process_time() - started
    whole = decode_picture(data)
    assert (quick.source_width, quick.source_height) == (4000, 3000) == whole.image.size
    assert 448 <= min(quick.image.size) < 900
    assert quick_seconds < time.process_time() - started - quick_seconds
    small = [np.asarray(one.image.resize((224, 224), Image.Resampling.BICUBIC)).astype(float) for one in (quick, whole)]
    assert np.abs(small[0] - small[1]).mean() < 3  # grey levels of 255


def _truncated() -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    return _save(Image.fromarray(noise))[:2000]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: b"", "empty"),
        (lambda: b"hello, this is text", "no image"),
        (lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no image"),
        (_truncated, "truncated or damaged"),
        (lambda: _save(Image.new("RGB", (64, 64)), "JPEG")[:200], "truncated or damaged|no image"),
        (lambda: _png_header(0, 100), "at least 1 x 1|no image|damaged"),
        (lambda: _save(Image.new("F", (8, 8)), "TIFF"), "floating-point"),
    ],
    ids=["empty", "text", "postscript", "truncated png", "truncated jpeg", "0 x N", "float"],
)
def test_bad_pictures(make: Callable[[], bytes], words: str) -> None:
    with pytest.raises(InvalidPicture, match=words):
        decode_picture(make())


@pytest.mark.parametrize("side", [20_000, 60_000], ids=["400 Mpixel", "3600 Mpixel"])
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_decompression_bomb_is_never_unpacked(side: int) -> None:
    started = time.process_time()
    with pytest.raises(Exhausted, match="pixels"):
        decode_picture(_png_header(side, side))
    assert time.process_time() - started < 0.5


def test_limits_are_the_callers() -> None:
    data = _save(Image.new("RGB", (100, 100)))
    with pytest.raises(Exhausted, match=f"{len(data)} bytes, more than the limit of 50"):
        decode_picture(data, max_bytes=50)
    with pytest.raises(Exhausted, match="100 x 100 pixels, more than the limit of 9999"):
        decode_picture(data, max_pixels=9999)


def _with_more_scans(data: bytes, copies: int) -> bytes:
    """A progressive JPEG whose last scan stands there many times."""
    start = data.rindex(b"\xff\xda")
    return data[:start] + copies * data[start:-2] + data[-2:]


def test_scans_are_limited_by_the_work_that_they_are() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (400, 400, 3), np.uint8)
    data = _save(Image.fromarray(noise), "JPEG", progressive=True)
    assert decode_picture(data, max_pixels=160_000).image.size == (400, 400)  # as encoders write it, at any limit
    with pytest.raises(Exhausted, match=r"400 x 400 pixels in 109 scans.*not progressive"):
        decode_picture(_with_more_scans(data, 100), max_pixels=1_000_000)


@pytest.mark.parametrize(("width", "height"), [(20_000, 1), (1, 20_000), (9000, 1000)])
def test_of_a_strip_the_middle_is_taken(width: int, height: int) -> None:
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[height // 2, width // 2] = 255
    decoded = decode_picture(_save(Image.fromarray(pixels)))
    assert (decoded.source_width, decoded.source_height) == (width, height)
    found = np.asarray(decoded.image)
    assert max(found.shape[:2]) == 8 * min(found.shape[:2])
    assert tuple(np.argwhere(found[..., 0])[0]) == (found.shape[0] // 2, found.shape[1] // 2)


_PEAK = """
import resource, sys
from shared.datasets.decoding import decode_picture
data = open(sys.argv[1], "rb").read()
decode_picture(open(sys.argv[2], "rb").read())
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
decode_picture(data)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize("mode", ["RGBA", "I;16"])
def test_the_largest_picture_fits_into_memory(mode: str, tmp_path: Path) -> None:
    """8000 x 8000 pixels, the default limit: the decoded samples, the RGB picture, and no third one."""
    (tmp_path / "small.png").write_bytes(_save(Image.new(mode, (8, 8))))
    Image.new(mode, (8000, 8000)).save(tmp_path / "large.png", compress_level=1)
    command = [sys.executable, "-c", _PEAK, str(tmp_path / "large.png"), str(tmp_path / "small.png")]
    kilobytes = int(subprocess.run(command, check=True, capture_output=True, cwd=ROOT).stdout)
    assert kilobytes < 520_000


def test_two_large_pictures_are_decoded_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small ones do not wait for them."""
    small, large = (_save(Image.new("RGB", (side, side))) for side in (50, 200))
    monkeypatch.setattr(decoding, "_LARGE", 10_000)
    with decoding._large_turn, ThreadPoolExecutor(2) as pool:
        waiting = pool.submit(decode_picture, large)
        assert pool.submit(decode_picture, small).result(timeout=30).image.size == (50, 50)
        assert not waiting.done()
        decoding._large_turn.release()
        assert waiting.result(timeout=30).image.size == (200, 200)
        decoding._large_turn.acquire()
