"""`deepjscc` and `swinjscc`: networks that send pictures."""

from pydantic import Field

from lab.train.common.settings import TrainSettings


class JsccSettings(TrainSettings):
    """A round has `steps` batches. patience: rounds without a better validation that end the training."""

    rounds: int = Field(60, ge=1, description="Rounds of 200 batches; more continue a finished run.")
    threads: int | None = Field(None, ge=1, description="Processor threads; torch's choice by default.")
    steps: int = 200
    patience: int = 30
    batch_size: int = 64
    lr: float = 1e-3
    average_decay: float = 0.999
    warmup_steps: int = 300
