"""clip-scenes, a CLIP that knows drawn scenes of several objects, and questions about them."""

from pydantic import Field

from lab.train.common.settings import TrainSettings


class ClipScenesSettings(TrainSettings):
    """A round has `steps` batches of `scenes` scenes with `questions` questions each; no picture comes twice.

    validated: scenes after each round. held_out: scenes of each test split in the card
    """

    name: str = "clip-scenes"
    data: str = "scenes"
    rounds: int = Field(16, ge=1, description="Rounds of 50 batches.")
    threads: int | None = Field(None, ge=1, description="Processor threads; torch's choice by default.")
    steps: int = 50
    scenes: int = 64
    questions: int = 1
    lr: float = 2e-3
    text_lr: float = 5e-4  # above it the text tower tells colours and no shapes for long
    scale: float = 30.0  # of cosines, at the start
    warmup_steps: int = 100
    average_decay: float = 0.99
    validated: int = 100
    held_out: int = 500
