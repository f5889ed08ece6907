"""clip-tiny, the small CLIP that the project ships."""

from pydantic import Field

from lab.train.common.settings import TrainSettings


class ClipSettings(TrainSettings):
    """Settings of a training of clip-tiny."""

    name: str = "clip-tiny"
    epochs: int = Field(16, ge=1, description="Passes over the training pictures.")
    batch_size: int = 512
    drawn_per_epoch: int = 5000
    image_lr: float = 0.35
    text_lr: float = 2e-3
    weight_decay: float = 5e-4
    warmup: float = 0.15  # share of the steps
    small_side: int = 24  # pixels; the first epochs see pictures at this size, at half the cost
    small_share: float = 0.5  # share of the epochs
    smoothing: float = 0.1
    caption_weight: float = 0.25
    picture_weight: float = 0.25
    picture_temperature: float = 0.1
    averaging: float = 0.995
