"""`uo-isc`: tokens that a question is about; its ablations and variants."""

from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import Field, model_validator

from lab.train.common.settings import TrainSettings

ABLATIONS: Final[Mapping[str, Mapping[str, Any]]] = {
    "uo-isc-unaligned": {"alignment": False},
    "uo-isc-no-intent": {"intent": 0.0},
    "uo-isc-adversary": {"adversary": 0.01},
    "uo-isc-clip": {"tower": "clip-scenes"},
    "uo-isc-channel": {"bit_errors": 0.1},
}
"""What their names stand for, whatever the flags say."""


class UoIscSettings(TrainSettings):
    """A round has `steps` batches of `scenes` scenes with `questions` questions each; no picture comes twice.

    unquantized_steps: at the start. intent_from, adversary_from, channel_from: share of the training after which they
    count.
    validated: scenes after each round. held_out: scenes of each test split in the card
    """

    name: str = "uo-isc"
    data: str = "scenes"
    rounds: int = Field(24, ge=1, description="Rounds of 50 batches.")
    threads: int | None = Field(None, ge=1, description="Processor threads; torch's choice by default.")
    alignment: bool = Field(True, description="Modulate the hidden states by the question; without: an ablation.")
    intent: float = Field(0.3, ge=0, description="Weight of the intent; 0 without it: an ablation.")
    adversary: float = Field(
        0.0, ge=0, description="Weight of a critic of patches (WGAN-GP) in the last 30 % of the steps; 0 without it."
    )
    tower: Literal["judge", "clip-scenes"] = Field("judge", description="What the encoder sees with.")
    bit_errors: float = Field(
        0.0, ge=0, le=0.5, description="Most wrong bits, a share, in the last 30 % of the steps; 0: no channel."
    )
    steps: int = 50
    scenes: int = 32
    questions: int = 2
    lr: float = 1.5e-3
    warmup_steps: int = 100
    average_decay: float = 0.99
    unquantized_steps: int = 150
    intent_from: float = 0.35
    adversary_from: float = 0.7
    channel_from: float = 0.7
    validated: int = 16
    held_out: int = 100

    @model_validator(mode="before")
    @classmethod
    def _ablated(cls, given: dict[str, Any]) -> dict[str, Any]:
        return {**given, **ABLATIONS.get(given.get("name", ""), {})}
