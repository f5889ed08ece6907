"""Picture files to pixels that CLIP takes; the part of sending that other threads than the encoder's can do."""

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

from shared.clip import Clip
from shared.clip.model import Pixels
from shared.errors import SemLinkError
from shared.pictures import decode_picture


@dataclass(frozen=True, slots=True)
class Prepared:
    """One picture. pixels: [S, S, 3], uint8. source_values: 3 x height x width of the file's picture."""

    pixels: Pixels
    source_values: int
    seconds: float


class Preparer:
    """Decodes and resizes. max_bytes, max_pixels: larger pictures are refused."""

    def __init__(self, clip: Clip, max_bytes: int, max_pixels: int) -> None:
        self._clip = clip
        self._max_bytes = max_bytes
        self._max_pixels = max_pixels

    def prepare(self, images: Sequence[bytes]) -> list[Prepared | Exception]:
        """Prepare files; one that is no picture gets an error of its own."""
        return [self._prepare_or_refuse(image) for image in images]

    def _prepare_or_refuse(self, image: bytes) -> Prepared | Exception:
        try:
            return self._prepare(image)
        except SemLinkError as error:
            return error

    def _prepare(self, image: bytes) -> Prepared:
        start = perf_counter()
        picture = decode_picture(image, self._max_bytes, self._max_pixels, target_size=self._clip.image_size)
        pixels = self._clip.preprocess(picture.image)
        return Prepared(pixels, 3 * picture.source_height * picture.source_width, perf_counter() - start)
