"""`label`: sends the number of the category, the plain digital competitor."""

from lab.train.common.settings import EmbeddingSettings


class LabelSettings(EmbeddingSettings):
    """An epoch has `steps` batches."""

    name: str = "label"
    epochs: int = 10
    steps: int = 250
    batch_size: int = 800
