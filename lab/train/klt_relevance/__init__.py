"""The block transform code of `klt-relevance` and `klt`."""

from pathlib import Path

from lab.train.common.settings import TrainSettings


class KltRelevanceSettings(TrainSettings):
    """scenes: of the split `train-seen`, from which it learns. coefficients: of a block that may get bits."""

    name: str = "klt-relevance"
    data: str = "scenes"
    device: str = "cpu"
    devices: None = None  # no gradients: nothing to distribute, no checkpoints
    runs: Path = Path()
    scenes: int = 4000
    coefficients: int = 128
    bits: int = 768
