"""`vq-digital`: quantizes the embedding."""

from pathlib import Path

from pydantic import Field

from lab.train.common.settings import EmbeddingSettings


class VqSettings(EmbeddingSettings):
    """learned: most embeddings to learn the codebook from. budgets: bits of the modes to choose from."""

    name: str = "vq-digital"
    learned: int = 30_000
    budgets: tuple[int, ...] = (12, 16, 24, 32, 48, 64, 96, 128)
    bursts: int = Field(400, ge=1, description="Bursts simulated for each mode and SNR.")
    devices: None = None  # no gradients: nothing to distribute, no checkpoints
    runs: Path = Path()
