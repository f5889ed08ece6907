"""The writer lock of a knowledge base's directory: one process writes, any number read."""

import fcntl
import os
import socket
from pathlib import Path
from typing import Self

from shared.errors import NotFound, Unavailable
from shared.files import cause, make_directory

LOCK_FILE = "lock"
_UNKNOWN = "not known which"


class HasWriter(Unavailable):
    """Another process is the directory's writer."""


class WriterLock:
    """Makes this process the directory's one writer, until `release`; the system releases it when the process ends.

    Creates the directory. Raises HasWriter, naming the other process, when the directory has a writer already.
    """

    def __init__(self, directory: Path) -> None:
        try:
            make_directory(directory)
            self._descriptor: int | None = os.open(directory / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise NotFound(
                f"cannot write into {directory}: {cause(error)}; name a directory that can be written, "
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
