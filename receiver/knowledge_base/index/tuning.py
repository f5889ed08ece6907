"""The result of `semlink kb tune`, stored beside a knowledge base and used when it is opened."""

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
    """The chosen engine, and the measurement behind it.

    engine, parameters: as in `EngineSettings`
    recall_at_1, recall_at_10: share of the true neighbours that it found
    milliseconds: median of one query's search
    items: size of the knowledge base. snr_db, codec: that the queries were sent with
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
    """Store a tuning, atomically."""
    with replacing(directory / TUNING_FILE) as temporary:
        temporary.write_text(json.dumps(asdict(tuning), indent=2) + "\n")


def read_tuning(directory: Path) -> Tuning | None:
    """The stored tuning, None without one. Raises DataLoss for a damaged file."""
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
    """Settings completed by the tuning, if they name no engine or the tuned one."""
    tuning = read_tuning(directory)
    if tuning is None or settings.name not in ("auto", tuning.engine):
        return settings
    return replace(settings, name=tuning.engine, parameters={**tuning.parameters, **settings.parameters})
