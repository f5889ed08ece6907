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
from torch import Tensor, nn
from torchvision.transforms import Compose, Normalize

from shared.clip.precision import cast_tower
from shared.errors import InvalidInput
from shared.types import Embeddings, Pixels

Preprocess = Callable[[Image.Image], Pixels]

_TO_BATCH = 2  # ToTensor and Normalize
_BATCH = 500


class Clip:
    """One CLIP model on one device. Calls are thread-safe in so far as torch's forward passes are.

    name: open_clip's name of the model
    fingerprint: 16 hexadecimal digits over name, preprocessing and parameters; equal on every device and precision
    dim: length of an embedding
    image_size: side S of the pictures that the tower takes, in pixels
    precision: `float32` or `bfloat16`, of the image tower; the text tower always works in float32
    """

    def __init__(self, name: str, model: Any, device: torch.device, precision: str) -> None:
        settings = model.visual.preprocess_cfg
        config = open_clip.get_model_config(name)
        self.name = name
        self.fingerprint = fingerprint(name, settings, model)
        self.dim = int(config["embed_dim"])
        self.image_size = _side(settings["size"])
        self.device = device
        self._preprocess = make_preprocess(settings)
        self._tokenizer = open_clip.get_tokenizer(name)
        self._model = model.eval().requires_grad_(False).to(device)
        self._scale, self._shift = _normalisation(settings, device)
        self.precision = cast_tower(model.visual, self._example(8), precision)

    def preprocess(self, image: Image.Image) -> Pixels:
        """Bring an RGB picture of any size to the tower's: [S, S, 3], uint8."""
        return self._preprocess(image)

    @torch.inference_mode()
    def embed_images(self, pixels: Pixels) -> Embeddings:
        """Embed a batch of preprocessed pictures.

        pixels: [B, S, S, 3], uint8, RGB
        returns: [B, dim], float32, L2-normalised
        """
        self._check(pixels)
        if not len(pixels):
            return np.empty((0, self.dim), dtype=np.float32)
        images = self._normalised(torch.from_numpy(np.require(pixels, requirements=["C", "W"])))
        features = self._model.encode_image(images.to(getattr(torch, self.precision)))
        embeddings: Embeddings = nn.functional.normalize(features.float(), dim=-1).cpu().numpy()
        return embeddings

    @torch.inference_mode()
    def embed_texts(self, texts: Sequence[str]) -> Embeddings:
        """Embed sentences: [B, dim], float32, L2-normalised. What exceeds the model's context length is cut off."""
        if not texts:
            return np.empty((0, self.dim), dtype=np.float32)
        tokens = self._tokenizer(list(texts)).to(self.device)
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
            "precision": self.precision,
            "parameters": sum(parameter.numel() for parameter in self._model.parameters()),
        }

    def _check(self, pixels: Pixels) -> None:
        wanted = (self.image_size, self.image_size, 3)
        if pixels.dtype != np.uint8 or pixels.shape[1:] != wanted:
            raise InvalidInput(
                f"{self.name} takes pixels [B, {wanted[0]}, {wanted[1]}, 3] uint8, got {list(pixels.shape)} "
                f"{pixels.dtype}; send pictures through `preprocess` first."
            )

    def _normalised(self, pixels: Tensor) -> Tensor:
        """[B, S, S, 3] uint8 to [B, 3, S, S] float32, still channels-last in memory."""
        return pixels.to(self.device).permute(0, 3, 1, 2).float() * self._scale + self._shift

    def _example(self, count: int) -> Tensor:
        return self._normalised(torch.full((count, self.image_size, self.image_size, 3), 128, dtype=torch.uint8))


def fingerprint(name: str, settings: dict[str, Any], model: nn.Module) -> str:
    """16 hexadecimal digits that tell one set of weights and preprocessing from another."""
    digest = hashlib.sha256(json.dumps([name, settings], sort_keys=True).encode())
    for key, tensor in sorted(model.state_dict().items()):
        digest.update(f"{key} {list(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()[:16]


def _normalisation(settings: dict[str, Any], device: torch.device) -> tuple[Tensor, Tensor]:
    """Scale and shift that turn bytes into (x / 255 - mean) / std: two tensors [1, 3, 1, 1]."""
    mean = torch.tensor(settings["mean"], device=device).view(1, 3, 1, 1)
    std = torch.tensor(settings["std"], device=device).view(1, 3, 1, 1)
    return 1 / (255 * std), -mean / std


def _side(size: int | Sequence[int]) -> int:
    sides = {size} if isinstance(size, int) else set(size)
    if len(sides) != 1:
        raise InvalidInput(f"SemLink takes models with square pictures, this one takes {size}.")
    return sides.pop()


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
