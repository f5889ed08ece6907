"""Opening a store's file for reading, on a read-only disk too."""

import os
import sqlite3
from pathlib import Path

from shared.errors import DataLoss, NotFound, Unavailable

_SQLITE_MAGIC = b"SQLite format 3\x00"
_CACHE_KIB = 16_384


def connect_reader(uri: str) -> sqlite3.Connection:
    """A connection that cannot write."""
    connection = sqlite3.connect(uri, uri=True, check_same_thread=False, isolation_level=None)
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    return connection


def store_uri(path: Path) -> str:
    """How to open a file for reading alone, on a read-only disk too."""
    try:
        with path.open("rb") as file:
            head = file.read(len(_SQLITE_MAGIC))
    except OSError as error:
        raise NotFound(
            f"no knowledge base in {path.parent} ({error.strerror}: {path.name}); "
            f"make one with `semlink kb build SOURCE --out {path.parent}`"
        ) from error
    if head != _SQLITE_MAGIC:
        raise DataLoss(f"{path} is damaged: it does not begin like SQLite. Build it again with `semlink kb build`.")
    uri = f"{path.absolute().as_uri()}?mode=ro"
    return uri if _log_can_be_shared(path) else f"{uri}&immutable=1"


def _log_can_be_shared(path: Path) -> bool:
    """Whether SQLite can read its log here: it must create or open the files beside the store."""
    log = path.with_name(path.name + "-wal")
    if os.access(path.parent, os.W_OK):
        return True
    if log.exists() and log.stat().st_size:
        raise Unavailable(
            f"{log} holds changes that are not in the store yet, and {path.parent} cannot be written; "
            f"run `semlink kb compact --kb {path.parent}` where it can be, or stop its receiver in order"
        )
    return False
