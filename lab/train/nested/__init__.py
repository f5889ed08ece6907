"""`nested`: one model for all lengths, for labels or for clusters that are found without labels."""

import sys
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, model_validator

from lab.train.common.settings import EmbeddingSettings

if TYPE_CHECKING:
    from lab.data.codec_data import CodecData


class NestedSettings(EmbeddingSettings):
    """axes: principal axes of a category. A round has `steps` batches; patience: rounds without a lower loss."""

    name: str = "nested"
    unlabelled: bool = Field(False, description="Find clusters instead of using labels.")
    clusters: int | None = Field(
        None, ge=2, description="How many, with --unlabelled; chosen by validation by default."
    )
    rounds: int = Field(15, ge=1, description="Rounds of 200 batches.")
    axes: int = 64
    steps: int = 200
    batch_size: int = 512
    patience: int = 5

    def for_labels_of(self, data: "CodecData") -> Self:
        """The same settings, without labels where the data have none, which is said."""
        if self.unlabelled or data.labelled:
            return self
        print("there are no labels to learn from: nested learns clusters, as with --unlabelled", file=sys.stderr)
        return self.model_copy(update={"unlabelled": True, "name": "nested"})

    @model_validator(mode="before")
    @classmethod
    def _named(cls, given: dict[str, Any]) -> dict[str, Any]:
        """`nested --unlabelled` and `nested-unlabelled` are the same training."""
        unlabelled = bool(given.get("unlabelled")) or given.get("name") == "nested-unlabelled"
        return given | {"unlabelled": unlabelled, "name": "nested-unlabelled" if unlabelled else "nested"}
