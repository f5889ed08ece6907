"""Files that a crash cannot tear, and a directory with one writer.

    write .NAME.tmp -> fsync it -> rename over NAME -> fsync the directory

A whole new file is put in the place of the old one, or nothing happens.
"""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self
from uuid import uuid4

from shared.errors import Exhausted, NotFound, Unavailable

LOCK_FILE = "lock"
_SUFFIX = ".tmp"
_UNKNOWN = "not known which"


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


def make_directory(path: Path) -> None:
    """Make a directory, and those above it that are not there, each on the disk."""
    if not path.parent.is_dir():
        make_directory(path.parent)
    path.mkdir(exist_ok=True)
    fsync(path.parent)


def clear_temporaries(directory: Path) -> None:
    """Remove what a killed writer left half done; for the directory's one writer."""
    for leftover in directory.glob(f".*{_SUFFIX}*"):
        leftover.unlink(missing_ok=True)


class HasWriter(Unavailable):
    """Another process is the directory's writer."""


class WriterLock:
    """Makes this process the directory's one writer, until `release`; it dies with the process, however that ends.

    Creates the directory. Raises HasWriter, naming the other process, when the directory has a writer already.
    """

    def __init__(self, directory: Path) -> None:
        try:
            make_directory(directory)
            self._descriptor: int | None = os.open(directory / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise NotFound(
                f"cannot write into {directory}: {error}; name a directory that can be written, "
                f"or let the receiver only read it with --read-only"
            ) from error
        try:
            _take(self._descriptor, directory)
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Let the next writer in."""
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def _take(descriptor: int, directory: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise HasWriter(
            f"the knowledge base in {directory} is being written by another process ({_holder(descriptor)}): a "
            f"receiver that serves it, or a build. Stop that one first, ask the receiver instead (`semlink kb add`), "
            f"or choose another directory; receivers that only read it are started with --read-only or --share"
        ) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"pid {os.getpid()} on {socket.gethostname()}\n".encode(), 0)


def last_writer(directory: Path) -> str:
    """Process and host of the directory's writer, or of the last one it had."""
    try:
        descriptor = os.open(directory / LOCK_FILE, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return _UNKNOWN
    try:
        return _holder(descriptor)
    finally:
        os.close(descriptor)


def _holder(descriptor: int) -> str:
    return os.pread(descriptor, 256, 0).decode("ascii", "replace").strip() or _UNKNOWN
