"""Files that a crash cannot tear: a whole new one is put in the place of the old one, or nothing happens.

    write NAME.tmp -> fsync NAME.tmp -> rename over NAME -> fsync the directory

One process at a time writes into a directory.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from shared.errors import Exhausted, NotFound, Unavailable

LOCK_FILE = "lock"
_SUFFIX = ".tmp"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path` that takes its place when the block ends without an error."""
    temporary = path.with_name(f".{path.name}.{uuid4().hex}{_SUFFIX}")
    try:
        yield temporary
        _put_in_place(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _put_in_place(temporary: Path, path: Path) -> None:
    try:
        fsync(temporary)
        temporary.replace(path)
        fsync(path.parent)
    except OSError as error:
        raise Exhausted(
            f"cannot put {path} in place: {error}; see to that disk and its room, then try again"
        ) from error


def fsync(path: Path) -> None:
    """Bring a file, or a directory's list of names, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def writer_lock(directory: Path) -> Iterator[None]:
    """Make this process the directory's one writer; the lock dies with the process, however that ends.

    Creates the directory, and clears away what a killed writer left half done.
    Raises Unavailable, naming the other process, when the directory has a writer already.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        fsync(directory.parent)
        descriptor = os.open(directory / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise NotFound(f"cannot write into {directory}: {error}; name a directory that can be written") from error
    try:
        _take(descriptor, directory)
        for leftover in directory.glob(f".*{_SUFFIX}*"):
            leftover.unlink(missing_ok=True)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, directory: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
        raise Unavailable(
            f"the knowledge base in {directory} is being written by another process (pid {holder}); "
            f"wait until it has finished, or choose another directory"
        ) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
