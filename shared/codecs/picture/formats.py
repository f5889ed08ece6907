"""Conventional picture formats at a budget of bytes: JPEG, WebP, and HEVC intra in HEIF, which stands for BPG."""

import io
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
from PIL import Image, UnidentifiedImageError

from shared.errors import NotFound
from shared.types import Pixels

QUALITIES: Final = tuple(range(0, 100, 5))
"""Qualities that are tried; 0 gives the smallest file in each format."""


@dataclass(frozen=True)
class Format:
    """A picture format. options: of Pillow's `save`. header_bytes: bytes of a file before its coded picture."""

    name: str
    options: tuple[tuple[str, Any], ...]
    header_bytes: Callable[[bytes], int]

    def require(self) -> None:
        """Raise NotFound, with the command that installs it, if the library of the format is missing."""
        if self.name == "HEIF":
            try:
                import pillow_heif  # noqa: PLC0415 - an extra of its own
            except ModuleNotFoundError as error:
                raise NotFound(
                    "HEVC pictures need pillow-heif, which is not installed: pip install 'semlink[heif]'"
                ) from error
            pillow_heif.register_heif_opener()

    def encode(self, pixels: Pixels, quality: int) -> bytes:
        """Encode [H, W, 3], uint8, RGB as a file."""
        self.require()
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, self.name, quality=quality, **dict(self.options))
        return file.getvalue()

    def decode(self, data: bytes) -> Pixels | None:
        """Decode a file to [H, W, 3], uint8; None if it is too damaged to decode."""
        self.require()
        try:
            with Image.open(io.BytesIO(data), formats=[self.name]) as picture:
                return np.asarray(picture.convert("RGB"))
        except (OSError, ValueError, SyntaxError, EOFError, UnidentifiedImageError, struct.error):
            return None  # the channel damages files, and each decoder raises errors of its own

    def best_within(self, pixels: Pixels, budget_bytes: int, free_header: bool = False) -> bytes | None:
        """The file of highest quality within a budget; None if even the smallest is too large.

        free_header: do not count the header, as the literature does for its mosaics
        """
        low, high = -1, len(QUALITIES) - 1  # QUALITIES[low] fits, or low is -1
        while low < high:
            middle = (low + high + 1) // 2
            data = _encoded(self, pixels.tobytes(), pixels.shape, QUALITIES[middle])
            size = len(data) - (self.header_bytes(data) if free_header else 0)
            low, high = (middle, high) if size <= budget_bytes else (low, middle - 1)
        return _encoded(self, pixels.tobytes(), pixels.shape, QUALITIES[low]) if low >= 0 else None


@lru_cache(maxsize=1 << 14)
def _encoded(kind: Format, data: bytes, shape: tuple[int, ...], quality: int) -> bytes:
    """Cached, because comparisons encode the same pictures at every SNR."""
    return kind.encode(np.frombuffer(data, np.uint8).reshape(shape), quality)


def _jpeg_header_bytes(data: bytes) -> int:
    """The start-of-scan marker is followed by the length of its header, then by the coded picture."""
    at = data.index(b"\xff\xda")
    return at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")


FORMATS: Final = {
    "jpeg": Format("JPEG", (("optimize", True), ("subsampling", 2)), _jpeg_header_bytes),
    # RIFF and chunk headers, 20 bytes, then VP8's frame header of 10.
    "webp": Format("WEBP", (("method", 6),), lambda _data: 30),
    # All boxes before the payload of `mdat`: among them the parameter sets of HEVC.
    "hevc": Format("HEIF", (("chroma", 420),), lambda data: data.index(b"mdat") + 4),
}
