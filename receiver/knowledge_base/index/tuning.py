"""What `semlink kb tune` chose, kept beside a knowledge base and used when it is opened."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from receiver.knowledge_base.index.settings import EngineSettings
from shared.errors import DataLoss
from shared.files import replacing

TUNING_FILE = "tuning.json"


@dataclass(frozen=True)
class Tuning:
    """A choice, and what it was measured on.

    engine, parameters: as in `EngineSettings`
    recall_at_1, recall_at_10: share of the true neighbours that it found
    milliseconds: median of one query's search
    items, snr_db, codec: the knowledge base's size, and what the queries had been through
    """

    engine: str
    parameters: Mapping[str, int]
    recall_at_1: float
    recall_at_10: float
    milliseconds: float
    items: int
    snr_db: float
    codec: str


def write_tuning(directory: Path, tuning: Tuning) -> None:
    """Keep a choice; a crash leaves the old one or the new one."""
    with replacing(directory / TUNING_FILE) as temporary:
        temporary.write_text(json.dumps(asdict(tuning), indent=2) + "\n")


def read_tuning(directory: Path) -> Tuning | None:
    """The choice that was kept, None where there is none. Raises DataLoss for a file that holds none."""
    path = directory / TUNING_FILE
    try:
        return Tuning(**json.loads(path.read_text()))
    except FileNotFoundError:
        return None
    except (TypeError, ValueError) as error:
        raise DataLoss(
            f"{path} holds no tuning ({error}); delete it, or make it again: `semlink kb tune {directory}`"
        ) from error


def tuned_settings(directory: Path, settings: EngineSettings) -> EngineSettings:
    """Settings completed by the kept choice, where they leave the engine open or ask for the one that was tuned."""
    tuning = read_tuning(directory)
    if tuning is None or settings.name not in ("auto", tuning.engine):
        return settings
    return replace(settings, name=tuning.engine, parameters={**tuning.parameters, **settings.parameters})
