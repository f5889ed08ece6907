"""`judge` and `witness`: networks that answer questions about scenes."""

from typing import Final

from pydantic import Field

from lab.train.common.settings import TrainSettings

WIDTHS: Final = {"judge": 128, "witness": 96}


class AnswererSettings(TrainSettings):
    """A round has `steps` batches of `scenes` scenes with `questions` questions each; no picture comes twice.

    The witness has another width, other initial weights, other pictures and other questions than the judge.
    validated: scenes after each round. held_out: scenes of each test split in the card
    """

    name: str = "judge"
    data: str = "scenes"
    rounds: int = Field(20, ge=1, description="Rounds of 50 batches.")
    threads: int | None = Field(None, ge=1, description="Processor threads; torch's choice by default.")
    steps: int = 50
    scenes: int = 64
    questions: int = 6
    lr: float = 2e-3
    warmup_steps: int = 100
    average_decay: float = 0.99
    validated: int = 100
    held_out: int = 1000

    @property
    def width(self) -> int:
        """Channels of the network."""
        return WIDTHS[self.name]

    @property
    def entropy(self) -> int:
        """Seed of all that this answerer draws, different for each name."""
        return len(WIDTHS) * self.seed + list(WIDTHS).index(self.name)
