"""Settings that all trainings share. A field with a description is a flag of `semlink train`."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, model_validator

OWN_WEIGHTS = Path("out/weights")
"""Of codecs that learned from embeddings of the user, for `semlink up --weights-dir`."""
FEATURES = Path("out/features")
"""Embeddings by content and CLIP, one cache for all codecs and comparisons."""


OF_A_MACHINE = frozenset({"data", "device", "devices", "threads", "out", "runs", "cache", "features"})
"""Flags that say where and by what a training runs, and nothing of what it makes."""


def under(folder: str) -> Any:
    """Default factory: the folder of that trainer's name in `folder`."""
    return lambda given: Path(folder) / given["name"]


class TrainSettings(BaseModel, frozen=True, extra="forbid"):
    """Together with the data, the settings decide the result; device and number of devices change its rounding.

    name: of what is made; weights lie in assets/NAME, checkpoints and curves in runs/NAME
    """

    name: str
    data: str = Field(description="Folder with CIFAR-100 in the official layout.")
    seed: int = Field(1, ge=0, description="Seed of initial weights, order, and noise.")
    device: str = Field("auto", description="auto, cpu or cuda.")
    devices: int | None = Field(None, ge=1, description="How many GPUs or CPU processes; all GPUs by default.")
    out: Path = Field(default_factory=under("assets"), description="Folder for weights and card; assets/NAME.")
    runs: Path = Field(default_factory=under("runs"), description="Folder for checkpoints and curves; runs/NAME.")

    @property
    def given_data(self) -> str:
        """The flag for data that lie elsewhere on each machine, as it stands behind the command of a card."""
        return "" if self.data == "scenes" else " --data DIR"


class EmbeddingSettings(TrainSettings):
    """Of a codec of embeddings."""

    data: str = Field("", description="Folder with CIFAR-100, or with pictures in train/, query/ and kb/.")
    features: str = Field(
        "", description="Instead of pictures: ready embeddings, .npz, .npy, .parquet, a folder, or a knowledge base."
    )
    clip_fingerprint: str | None = Field(None, description="Of the CLIP that made them, where they do not say it.")
    clip: str = Field("clip-tiny", description="clip-tiny, clip-scenes, or any model that open_clip knows.")
    weights: str | None = Field(None, description="Weights of that CLIP: a file or a tag; none for those that ship.")
    drawn: bool = Field(True, description="Learn from the drawn set too; the first paper did not.")
    cache: Path = Field(FEATURES, description="Folder for cached embeddings.")
    out: Path = Field(
        default_factory=under("assets"),
        description="Folder for weights and card; assets/NAME, with --features out/weights/NAME.",
    )
    runs: Path = Field(
        default_factory=under("runs"),
        description="Folder for checkpoints and curves; runs/NAME, with --features out/runs/NAME.",
    )

    @property
    def given_data(self) -> str:
        """See `TrainSettings`."""
        return " --features FILE" if self.features else super().given_data

    @model_validator(mode="before")
    @classmethod
    def _own_weights(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Weights of your own embeddings go into out/weights, beside and not over the shipped ones."""
        if not given.get("features"):
            return given
        name = str(given.get("name", cls.model_fields["name"].default)).removesuffix("-unlabelled")
        return {"out": OWN_WEIGHTS / name, "runs": Path("out/runs") / name} | given
