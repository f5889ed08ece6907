"""`kbsc`, the codec of the first paper, and the same network in its authors' own channel."""

from lab.train.common.settings import EmbeddingSettings


class KbscSettings(EmbeddingSettings):
    """The numbers are the paper's. patience: epochs without a better retrieval that end a training."""

    name: str = "kbsc"
    lengths: tuple[int, ...] = (16, 64, 256)
    epochs: int = 100
    patience: int = 20
    batch_size: int = 128
    lr: float = 1e-4
