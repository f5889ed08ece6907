"""Translates sqlite3 errors into SemLink's."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.errors import DataLoss, Exhausted, Unavailable

# Errors that a wrong byte in a row can cause before its digest is checked: wrong type, broken UTF-8, huge length.
_DAMAGE = (sqlite3.DatabaseError, AttributeError, KeyError, TypeError, ValueError, OverflowError, MemoryError)
_DAMAGED_CODES = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_BUSY_CODES = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_PRIMARY = 0xFF  # SQLite's extended codes carry the primary one in their lowest byte


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
