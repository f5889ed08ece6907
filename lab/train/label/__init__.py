"""`label`: sends the number of the category, the plain digital competitor."""

from pydantic import Field

from lab.train.common.settings import EmbeddingSettings


class LabelSettings(EmbeddingSettings):
    """An epoch has `steps` batches."""

    name: str = "label"
    epochs: int = Field(10, ge=1, description="Epochs of 250 batches, for each length.")
    steps: int = 250
    batch_size: int = 800
