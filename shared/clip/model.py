"""A loaded CLIP model: pictures and texts to points on one sphere.

picture --preprocess--> uint8 [S, S, 3] --batch, normalise--> image tower --.
                                                                            +--> float32 [B, D], length 1
text ----tokenize-----> int64 [context] --batch------------> text tower ----'
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import open_clip
import torch
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image
from torch import nn
from torchvision.transforms import Compose, Normalize

from shared.clip.choice import choose_engine
from shared.clip.engine import ImageTower
from shared.clip.openvino_engine import ir_file_of
from shared.errors import InvalidInput
from shared.types import Embeddings, Pixels

Preprocess = Callable[[Image.Image], Pixels]

_TO_BATCH = 2  # ToTensor and Normalize
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
    engine: what runs the image tower, `torch` or `openvino`; the text tower always runs in torch in float32
    precision: of the image tower, `float32` or `bfloat16`
    """

    def __init__(self, name: str, model: Any, device: torch.device, precision: str, engine: str = "torch") -> None:
        settings = model.visual.preprocess_cfg
        config = open_clip.get_model_config(name)
        self.name = name
        self.fingerprint = fingerprint(name, settings, model)
        self.dim = int(config["embed_dim"])
        self.device = device
        self._preprocess = make_preprocess(settings)
        self._tokenizer = open_clip.get_tokenizer(name)
        self._parameters = sum(parameter.numel() for parameter in model.parameters())
        self._model = model.eval().requires_grad_(False).to(device)
        tower = ImageTower(model.visual, settings).to(device)
        self.image_size = tower.image_size
        grey = np.full((8, self.image_size, self.image_size, 3), 128, np.uint8)
        self._engine = choose_engine(tower, grey, engine, precision, ir_file_of(self.fingerprint))
        self.engine, self.precision = self._engine.name, self._engine.precision
        model.visual = nn.Identity()  # the engine has what it needs of the tower

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
        tokens = self._tokenizer([text[:_LONGEST_TEXT] for text in texts]).to(self.device)
        embeddings: Embeddings = self._model.encode_text(tokens, normalize=True).float().cpu().numpy()
        return embeddings

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


def fingerprint(name: str, settings: dict[str, Any], model: nn.Module) -> str:
    """16 hexadecimal digits that tell one set of weights and preprocessing from another."""
    digest = hashlib.sha256(json.dumps([name, settings], sort_keys=True).encode())
    for key, tensor in sorted(model.state_dict().items()):
        digest.update(f"{key} {list(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()[:16]


def make_preprocess(settings: dict[str, Any]) -> Preprocess:
    """The transform of a picture of any size to [S, S, 3], uint8, RGB: open_clip's own without its last two steps.

    Scaling to [0, 1] and normalising by mean and deviation are left to the batch, so a picture waits as bytes.
    settings: open_clip's `preprocess_cfg` of a model
    """
    steps = image_transform_v2(PreprocessCfg(**settings), is_train=False).transforms
    if not isinstance(steps[-1], Normalize):
        raise TypeError(f"open_clip's transform ends in {steps[-1]}, not in Normalize; this version is not supported.")
    resize = Compose(steps[:-_TO_BATCH])

    def preprocess(image: Image.Image) -> Pixels:
        return np.array(resize(image))  # its own memory: torch takes no read-only view

    return preprocess


def embed_pictures(pictures: Sequence[Pixels] | Pixels, clip: Clip) -> Embeddings:
    """Embed decoded pictures [H, W, 3], uint8, RGB, of any size: [B, dim]."""
    batches = [pictures[start : start + _BATCH] for start in range(0, len(pictures), _BATCH)]
    parts = [
        clip.embed_images(np.stack([clip.preprocess(Image.fromarray(pixels)) for pixels in batch])) for batch in batches
    ]
    return np.concatenate(parts)
