"""A loaded CLIP model: pictures and texts to points on one sphere.

picture --preprocess--> uint8 [S, S, 3] --batch, normalise--> image tower --.
                                                                            +--> float32 [B, D], length 1
text ----tokenize-----> int64 [context] --batch------------> text tower ----'
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from PIL import Image

from shared.clip.preprocess import make_preprocess, side_of
from shared.errors import InvalidInput
from shared.types import Embeddings, Pixels

_BATCH = 500
_LONGEST_TEXT = (
    2000  # characters; more than any context holds, and tokenizing takes time by the square of a word's length
)
EmbedTexts = Callable[[list[str]], Embeddings]
"""Sentences to embeddings [B, D], float32, length 1."""


class Engine(Protocol):
    """A tower that is ready to run. name: `torch` or `openvino`. precision: `float32` or `bfloat16`."""

    name: str
    precision: str

    def __call__(self, pixels: Pixels) -> Embeddings:
        """Embed pictures [B, S, S, 3], uint8: [B, D], float32, length 1."""
        ...


@dataclass(frozen=True)
class About:
    """What is known of a model. settings: open_clip's `preprocess_cfg`. parameters: of both towers.

    fingerprint: 16 hexadecimal digits over name, preprocessing and parameters.
    """

    name: str
    fingerprint: str
    dim: int
    parameters: int
    settings: dict[str, Any]


class Clip:
    """One CLIP model on one device. Calls are thread-safe in so far as forward passes are.

    name: open_clip's name of the model
    fingerprint: 16 hexadecimal digits over name, preprocessing and parameters; equal on every device and precision
    dim: length of an embedding
    device: `cpu` or `cuda`
    image_size: side S of the pictures that the tower takes, in pixels
    engine: what runs the image tower, `torch` or `openvino`
    precision: of the image tower, `float32` or `bfloat16`
    """

    def __init__(self, about: About, device: str, engine: Engine, texts: EmbedTexts) -> None:
        """engine: the image tower. texts: the text tower, which may be loaded by its first call."""
        self.name, self.fingerprint, self.dim = about.name, about.fingerprint, about.dim
        self.about, self.device = about, device
        self.image_size = side_of(about.settings)
        self._preprocess = make_preprocess(about.settings)
        self._engine, self._texts = engine, texts
        self.engine, self.precision = engine.name, engine.precision

    def preprocess(self, image: Image.Image) -> Pixels:
        """Bring an RGB picture of any size to the tower's: [S, S, 3], uint8."""
        return self._preprocess(image)

    def embed_images(self, pixels: Pixels) -> Embeddings:
        """Embed a batch of preprocessed pictures.

        pixels: [B, S, S, 3], uint8, RGB
        returns: [B, dim], float32, L2-normalised
        """
        self._check(pixels)
        if not len(pixels):
            return np.empty((0, self.dim), dtype=np.float32)
        return self._engine(pixels)

    def embed_texts(self, texts: Sequence[str]) -> Embeddings:
        """Embed sentences: [B, dim], float32, L2-normalised. What exceeds the model's context length is cut off."""
        if not texts:
            return np.empty((0, self.dim), dtype=np.float32)
        return self._texts([text[:_LONGEST_TEXT] for text in texts])

    def warm_up(self, batch_size: int) -> None:
        """Run the image tower on one picture and on a full batch, so that the first request finds it compiled."""
        for count in (1, batch_size, 1, batch_size):
            self.embed_images(np.zeros((count, self.image_size, self.image_size, 3), dtype=np.uint8))

    def describe(self) -> dict[str, str | int]:
        """What one needs to know to repeat a result, ready for JSON."""
        return {
            "model": self.name,
            "fingerprint": self.fingerprint,
            "dim": self.dim,
            "image_size": self.image_size,
            "device": self.device,
            "engine": self.engine,
            "precision": self.precision,
            "parameters": self.about.parameters,
        }

    def _check(self, pixels: Pixels) -> None:
        wanted = (self.image_size, self.image_size, 3)
        if pixels.dtype != np.uint8 or pixels.shape[1:] != wanted:
            raise InvalidInput(
                f"{self.name} takes pixels [B, {wanted[0]}, {wanted[1]}, 3] uint8, got {list(pixels.shape)} "
                f"{pixels.dtype}; send pictures through `preprocess` first."
            )


def embed_pictures(pictures: Sequence[Pixels] | Pixels, clip: Clip) -> Embeddings:
    """Embed decoded pictures [H, W, 3], uint8, RGB, of any size: [B, dim]."""
    batches = [pictures[start : start + _BATCH] for start in range(0, len(pictures), _BATCH)]
    parts = [
        clip.embed_images(np.stack([clip.preprocess(Image.fromarray(pixels)) for pixels in batch])) for batch in batches
    ]
    return np.concatenate(parts)
