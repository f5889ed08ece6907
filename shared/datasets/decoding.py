"""Turns a user's bytes into an RGB picture, or says what is wrong with them.

    bytes --size limit--> header --pixel and scan limit--> (draft) --> decode --> middle --> EXIF turn --> white behind
    alpha --> RGB

Only the header is read before the limits are checked, so a decompression bomb is never unpacked. At the default limits
one picture takes at most 512 MB while it is decoded, and large ones are decoded one at a time.
"""

import contextlib
import io
import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from shared.errors import Exhausted, InvalidPicture
from shared.printable import first_line
from shared.types import Pixels

with contextlib.suppress(ImportError):  # HEIC, the format of phones, where the optional library is installed
    import pillow_heif

    pillow_heif.register_heif_opener()

MAX_BYTES = 32 * 2**20
MAX_PIXELS = 64_000_000

_FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF", "HEIF")  # none that runs a program
_ORIENTATION = 0x0112  # the EXIF tag; values from 5 stand for a quarter turn
_MOST_SCANS = (
    10  # of the most pixels; encoders write ten, and each scan of a progressive JPEG costs a pass over all pixels
)
_START_OF_SCAN = b"\xff\xda"  # nowhere else in a JPEG: within the coded data a zero follows each 255
_MOST_ASPECT = 8  # longer pictures are cropped to it; scaled to CLIP's height first, a strip would take gigabytes
_LARGE = 16_000_000  # pixels
_BAND_ROWS = 256
_large_turn = threading.Lock()
_SHARP = 2  # a draft keeps this many times the target size, so that the resize after it still smooths


@dataclass(frozen=True)
class DecodedPicture:
    """A picture and the size that it came in.

    image: RGB, upright; a JPEG may have been decoded at a fraction of its size if a target size was given; of a picture
        more than 8 times as long as high, or as high as long, the middle
    source_width, source_height: of the upright picture at full size, in pixels; what `cbr` counts
    """

    image: Image.Image
    source_width: int
    source_height: int


def decode_picture(
    data: bytes, max_bytes: int = MAX_BYTES, max_pixels: int = MAX_PIXELS, target_size: int | None = None
) -> DecodedPicture:
    """Decode the first frame of JPEG, PNG, WebP, GIF, BMP, TIFF, PPM, AVIF or, with pillow-heif, HEIC.

    max_bytes, max_pixels: larger pictures are refused with `Exhausted`, before they are decoded
    target_size: shorter side that the caller will resize to, in pixels; lets a large JPEG decode at a fraction
    """
    if not data:
        raise InvalidPicture("The picture is empty (0 bytes); send the bytes of an image file.")
    if len(data) > max_bytes:
        raise Exhausted(f"The picture has {len(data)} bytes, more than the limit of {max_bytes}; send a smaller file.")
    image = _open(data)
    width, height = image.size
    if min(width, height) < 1:
        raise InvalidPicture(f"The picture is {width} x {height} pixels; it needs at least 1 x 1.")
    if width * height > max_pixels:
        raise Exhausted(
            f"The picture is {width} x {height} pixels, more than the limit of {max_pixels}; scale it down."
        )
    if image.format in ("JPEG", "MPO"):
        _check_scans(data.count(_START_OF_SCAN), width, height, max_pixels)
    if target_size is not None:
        image.draft(None, (_SHARP * target_size, _SHARP * target_size))  # does nothing but for JPEG
    with _large_turn if image.width * image.height > _LARGE else contextlib.nullcontext():
        return _decode(image, width, height)


def _check_scans(scans: int, width: int, height: int, max_pixels: int) -> None:
    if scans * width * height > _MOST_SCANS * max_pixels:
        raise Exhausted(
            f"The picture is {width} x {height} pixels in {scans} scans, more work than {_MOST_SCANS} scans of "
            f"{max_pixels} pixels, the limit; save it as a JPEG that is not progressive."
        )


def _open(data: bytes) -> Image.Image:
    """Read the header."""
    Image.init()  # fills Image.OPEN
    try:
        return Image.open(io.BytesIO(data), formats=[name for name in _FORMATS if name in Image.OPEN])
    except UnidentifiedImageError as error:
        raise InvalidPicture(
            f"The {len(data)} bytes that begin with {data[:8]!r} are no image that can be read; "
            "send JPEG, PNG, WebP, GIF, BMP, TIFF or (with pillow-heif) HEIC."
        ) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Exhausted(f"The picture has too many pixels ({first_line(error)}); scale it down.") from error
    except Exception as error:  # each decoder has its own
        raise _damaged(error) from error


def _decode(image: Image.Image, width: int, height: int) -> DecodedPicture:
    try:
        if image.getexif().get(_ORIENTATION, 1) >= 5:
            width, height = height, width
        image.load()
        image = _middle(image)
        ImageOps.exif_transpose(image, in_place=True)
        return DecodedPicture(_to_rgb(image), width, height)
    except InvalidPicture:
        raise
    except Exception as error:  # each decoder has its own
        raise _damaged(error) from error


def _middle(image: Image.Image) -> Image.Image:
    width, height = (min(side, _MOST_ASPECT * min(image.size)) for side in image.size)
    if (width, height) == image.size:
        return image
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))


def _damaged(error: Exception) -> InvalidPicture:
    return InvalidPicture(
        f"The picture is truncated or damaged ({type(error).__name__}: {first_line(error)}); send the whole file."
    )


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "F":
        raise InvalidPicture(
            "The picture has floating-point samples, which have no agreed white; save it with 8 or 16 bits."
        )
    if image.mode.startswith("I"):
        return _in_bands(image, _from_sixteen_bits)
    if image.has_transparency_data:
        return _in_bands(image, _on_white)
    return image.convert("RGB")


def _in_bands(image: Image.Image, to_rgb: Callable[[Image.Image], Image.Image]) -> Image.Image:
    """Convert some rows at a time, so that no second whole picture with alpha or wide samples is in memory."""
    converted = Image.new("RGB", image.size)
    for top in range(0, image.height, _BAND_ROWS):
        band = image.crop((0, top, image.width, min(top + _BAND_ROWS, image.height)))
        converted.paste(to_rgb(band), (0, top))
    return converted


def _on_white(image: Image.Image) -> Image.Image:
    layer = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")


def _from_sixteen_bits(image: Image.Image) -> Image.Image:
    """Grey with 16 bits, which Pillow would clip at 255 instead of scaling."""
    samples = np.asarray(image).astype(np.int64)
    return Image.fromarray((samples.clip(0, 65535) >> 8).astype(np.uint8)).convert("RGB")


def encode_png(pixels: Pixels) -> bytes:
    """A PNG file of one picture [H, W, 3], uint8, compressed quickly: in a sixth of the time, a tenth larger."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    return file.getvalue()


def decode_png(data: bytes) -> Pixels:
    """The reverse of `encode_png`, for files of our own: [H, W, 3], uint8."""
    with Image.open(io.BytesIO(data), formats=["PNG"]) as picture:
        return np.asarray(picture.convert("RGB"))
