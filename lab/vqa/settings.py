"""Settings of the comparison with real networks."""

from pathlib import Path

from pydantic import Field

from lab.train.common.settings import TrainSettings


class VqaSettings(TrainSettings):
    """split: see `lab.vqa.samples.SPLITS`. side: of the pictures. tokens: across; segments: of each, of 6 bits.

    alignment, intent: without them, the ablations. learned, tested: most questions
    """

    name: str = "uo-isc-vqa"
    data: str = ""
    vision: str = "CIDAS/clipseg-rd64-refined"
    answerer: str = "llava-hf/llava-1.5-7b-hf"
    download: bool = False
    remote_code: bool = False
    split: str = "all"
    side: int = Field(352, ge=32)
    tokens: int = Field(11, ge=1)
    segments: int = Field(8, ge=1)
    alignment: bool = True
    intent: float = Field(0.3, ge=0)
    intent_from: float = 0.5
    adversary: float = Field(0.01, ge=0)
    adversary_from: float = 0.7
    rounds: int = Field(40, ge=1)
    steps: int = Field(500, ge=1)
    batch: int = Field(16, ge=1)
    lr: float = 3e-4
    learned: int = 400_000
    tested: int = 2_000
    out: Path = Path("out/paper-uoisc")
    runs: Path = Path("out/paper-uoisc/runs")
