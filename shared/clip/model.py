"""A loaded CLIP model: pictures and texts to points on one sphere.

picture --preprocess--> uint8 [S, S, 3] --batch, normalise--> image tower --.
                                                                            +--> float32 [B, D], length 1
text ----tokenize-----> int64 [context] --batch------------> text tower ----'
"""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from PIL import Image

from shared.clip.choice import choose_engine
from shared.clip.engine import ImageTower
from shared.clip.openvino_engine import ir_file_of
from shared.clip.preprocess import make_preprocess
from shared.clip.towers import TextTower, Towers
from shared.errors import InvalidInput
from shared.types import Embeddings, Pixels

_BATCH = 500
_LONGEST_TEXT = (
    2000  # characters; more than any context holds, and tokenizing takes time by the square of a word's length
)


class Clip:
    """One CLIP model on one device. Calls are thread-safe in so far as torch's forward passes are.

    name: open_clip's name of the model
    fingerprint: 16 hexadecimal digits over name, preprocessing and parameters; equal on every device and precision
    dim: length of an embedding
    image_size: side S of the pictures that the tower takes, in pixels
    engine: what runs the image tower, `torch` or `openvino`; the text tower, loaded with the first text, always runs in
    torch in float32
    precision: of the image tower, `float32` or `bfloat16`
    """

    def __init__(self, towers: Towers, device: torch.device, precision: str, engine: str = "torch") -> None:
        self.name = towers.name
        self.fingerprint = towers.fingerprint
        self.dim = towers.dim
        self.device = device
        self._preprocess = make_preprocess(towers.settings)
        self._parameters = towers.parameters
        self._load_text = towers.text
        tower = ImageTower(towers.image.eval().requires_grad_(False), towers.settings).to(device)
        self.image_size = tower.image_size
        grey = np.full((8, self.image_size, self.image_size, 3), 128, np.uint8)
        self._engine = choose_engine(tower, grey, engine, precision, ir_file_of(self.fingerprint))
        self.engine, self.precision = self._engine.name, self._engine.precision

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

    @torch.inference_mode()
    def embed_texts(self, texts: Sequence[str]) -> Embeddings:
        """Embed sentences: [B, dim], float32, L2-normalised. What exceeds the model's context length is cut off."""
        if not texts:
            return np.empty((0, self.dim), dtype=np.float32)
        tokens = self._text.tokenize([text[:_LONGEST_TEXT] for text in texts]).to(self.device)
        embeddings: Embeddings = self._text.model.encode_text(tokens, normalize=True).float().cpu().numpy()
        return embeddings

    @cached_property
    def _text(self) -> TextTower:
        tower = self._load_text()
        return tower._replace(model=tower.model.eval().requires_grad_(False).to(self.device))

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
            "device": str(self.device),
            "engine": self.engine,
            "precision": self.precision,
            "parameters": self._parameters,
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
