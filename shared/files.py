"""Atomic file replacement: after a crash a file is the old one or the new one, whole.

write .NAME.tmp -> fsync it -> rename over NAME -> fsync the directory
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from shared.errors import Exhausted

_SUFFIX = ".tmp"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path` that takes its place when the block ends without an error.

    Raises Exhausted when the disk cannot take it; then `path` is as it was.
    """
    temporary = path.with_name(f".{path.name}.{uuid4().hex}{_SUFFIX}")
    try:
        yield temporary
        try:
            fsync(temporary)
            temporary.replace(path)
            fsync(path.parent)
        except OSError as error:
            raise Exhausted(
                f"cannot put {path} in place: {error}; check that disk and its space, then try again"
            ) from error
    finally:
        temporary.unlink(missing_ok=True)


def fsync(path: Path) -> None:
    """Write a file, or a directory's list of names, through to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_directory(path: Path) -> None:
    """Make a directory, and its missing parents, each synced to the disk."""
    if not path.parent.is_dir():
        make_directory(path.parent)
    path.mkdir(exist_ok=True)
    fsync(path.parent)


def clear_temporaries(directory: Path) -> None:
    """Remove temporary files of a killed writer; for the directory's one writer."""
    for leftover in directory.glob(f".*{_SUFFIX}*"):
        leftover.unlink(missing_ok=True)
