"""Settings of the index engine; the result of `semlink kb tune`, stored beside a knowledge base, completes them."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

from shared.errors import DataLoss
from shared.files import replacing

TUNING_FILE = "tuning.json"
Device = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True)
class EngineSettings:
    """Which engine, where it runs, and its search parameters.

    name: as in the table of engines, or auto: what `semlink kb tune` chose, else by the number of items
    device: auto is a GPU where FAISS sees one and the engine has a part for it
    threads: at most so many for one search; small searches take one
    uri: of a Milvus, a file or http://HOST:PORT; other engines take none
    collection: in that Milvus; the knowledge base names one after its store
    parameters: of the search, such as {"nprobe": 16}; what is not named keeps its default
    mapped_above_bytes: an index file larger than this stays on disk, mapped into memory; None: half of the memory
    """

    name: str = "auto"
    device: Device = "auto"
    threads: int = 1
    uri: str | None = None
    collection: str | None = None
    parameters: Mapping[str, int] = field(default_factory=dict)
    mapped_above_bytes: int | None = None


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
        temporary.write_text(json.dumps(asdict(tuning), indent=2) + "\n", encoding="utf-8")


def read_tuning(directory: Path) -> Tuning | None:
    """The stored tuning, None without one. Raises DataLoss for a damaged file."""
    path = directory / TUNING_FILE
    try:
        return Tuning(**json.loads(path.read_text(encoding="utf-8")))
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
