"""Decoded pictures to embeddings, as the receiver of a codec of pictures needs them, live and in the laboratory."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from shared.clip.model import Clip
from shared.types import Embeddings, Pixels

_BATCH = 500


def embed_pictures(pictures: Sequence[Pixels] | Pixels, clip: Clip) -> Embeddings:
    """Embed pictures [H, W, 3], uint8, RGB, of any size: [B, dim]."""
    batches = [pictures[start : start + _BATCH] for start in range(0, len(pictures), _BATCH)]
    parts = [
        clip.embed_images(np.stack([clip.preprocess(Image.fromarray(pixels)) for pixels in batch])) for batch in batches
    ]
    return np.concatenate(parts)
