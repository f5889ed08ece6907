"""Picture files to pixels that CLIP or a codec takes; the part of sending that other threads than the encoder's do."""

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import NamedTuple

from shared.clip import Clip
from shared.codecs.base.picture import SIDE, fit_picture
from shared.datasets.decoding import decode_picture
from shared.errors import SemLinkError
from shared.types import Pixels


class ToPrepare(NamedTuple):
    """One picture file. as_picture: as codecs of pictures take it, not as CLIP does."""

    image: bytes
    as_picture: bool = False


@dataclass(frozen=True, slots=True)
class Prepared:
    """One picture. pixels: [S, S, 3] or [32, 32, 3], uint8. source_values: 3 x height x width of the file's picture."""

    pixels: Pixels
    source_values: int
    seconds: float


class Preparer:
    """Decodes and resizes. max_bytes, max_pixels: larger pictures are refused."""

    def __init__(self, clip: Clip, max_bytes: int, max_pixels: int) -> None:
        self._clip = clip
        self._max_bytes = max_bytes
        self._max_pixels = max_pixels

    def prepare(self, files: Sequence[ToPrepare]) -> list[Prepared | Exception]:
        """Prepare files; one that is no picture gets an error of its own."""
        return [self._prepare(file) for file in files]

    def _prepare(self, file: ToPrepare) -> Prepared | Exception:
        start = perf_counter()
        size = SIDE if file.as_picture else self._clip.image_size
        try:
            picture = decode_picture(file.image, self._max_bytes, self._max_pixels, target_size=size)
            pixels = fit_picture(picture.image) if file.as_picture else self._clip.preprocess(picture.image)
        except SemLinkError as error:
            return error
        return Prepared(pixels, 3 * picture.source_height * picture.source_width, perf_counter() - start)
