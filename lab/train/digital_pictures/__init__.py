"""The table by which JPEG, WebP and HEVC over LDPC choose modulation and code rate."""

from pathlib import Path

from lab.train.common.settings import TrainSettings


class DigitalPicturesSettings(TrainSettings):
    """blocks: simulated for each SNR. queries, items: pictures by which files of a size are judged."""

    name: str = "digital-pictures"
    seed: int = 0
    device: str = "cpu"
    devices: None = None  # no gradients: nothing to distribute, no checkpoints
    runs: Path = Path()
    blocks: int = 100
    queries: int = 500
    items: int = 5000
