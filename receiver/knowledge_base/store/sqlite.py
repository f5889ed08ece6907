"""Opening a store's file for reading, on a read-only disk too, and sqlite3's errors as SemLink's."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.errors import DataLoss, Exhausted, InvalidInput, NotFound, Unavailable

_SQLITE_MAGIC = b"SQLite format 3\x00"
_CACHE_KIB = 16_384
# Errors that a wrong byte in a row can cause before its digest is checked: wrong type, broken UTF-8, huge length.
_DAMAGE = (sqlite3.DatabaseError, AttributeError, KeyError, TypeError, ValueError, OverflowError, MemoryError)
_DAMAGED_CODES = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_BUSY_CODES = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_PRIMARY = 0xFF  # SQLite's extended codes carry the primary one in their lowest byte


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


def damaged(path: Path, why: str) -> DataLoss:
    """The error of a damaged store."""
    return DataLoss(
        f"{path} is damaged: {why}. `semlink kb verify --kb {path.parent}` lists all that is wrong. Put a copy back "
        f"(`semlink kb restore NAME --kb {path.parent}`), or build it again with `semlink kb build SOURCE --out DIR`."
    )


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Translate errors of a read in the body."""
    try:
        yield
    except UnicodeEncodeError as error:  # what was asked for, not what is stored
        raise InvalidInput(f"{error.object!r} is no text in UTF-8") from error
    except _DAMAGE as error:
        if _code(error) in _BUSY_CODES:
            raise _busy(path, error) from error
        raise damaged(path, str(error) or type(error).__name__) from error


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Translate errors of a write in the body: damage, another writer, a full or read-only disk."""
    try:
        yield
    except sqlite3.IntegrityError:
        raise  # a duplicate id, which the caller reports
    except sqlite3.DatabaseError as error:
        if _code(error) in _DAMAGED_CODES:
            raise damaged(path, str(error)) from error
        if _code(error) in _BUSY_CODES:
            raise _busy(path, error) from error
        raise Exhausted(
            f"cannot write the knowledge base in {path.parent}: {error}; make room on that disk, or see that it can "
            f"be written, and try again. What was there before is unchanged."
        ) from error


def _code(error: Exception) -> int:
    return getattr(error, "sqlite_errorcode", 0) & _PRIMARY


def _busy(path: Path, error: Exception) -> Unavailable:
    return Unavailable(f"{path} is in use by another process ({error}); try again")
