"""Files of strangers, read within limits; and atomic replacement: after a crash a file is the old or the new, whole.

write .NAME.tmp -> fsync it -> rename over NAME -> fsync the directory
"""

import errno
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from shared.errors import Exhausted, InvalidInput, SemLinkError
from shared.printable import first_line

_SUFFIX = ".tmp"
_BLOCK_BYTES = 4096
_REMEDIES = {
    errno.ENOSPC: "free some space, or choose another disk",
    errno.EDQUOT: "free some space, or choose another disk",
    errno.EFBIG: "choose another disk, or a larger limit (`ulimit -f`)",
    errno.EACCES: "choose a folder of yours, or change its rights",
    errno.EPERM: "choose a folder of yours, or change its rights",
    errno.EROFS: "choose a folder that can be written",
    errno.ENOTDIR: "a part of the path is a file; choose another",
    errno.EISDIR: "this is a folder; name a file in it",
    errno.ENOENT: "its folder does not exist; check the path",
    errno.EMFILE: "raise the limit of open files (`ulimit -n`)",
}


def said(error: OSError) -> str:
    """An error of the system in one line: the file, what happened, what to do."""
    what = cause(error)
    remedy = _REMEDIES.get(error.errno or 0)
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{what}{f'; {remedy}' if remedy else ''}"


def cause(error: OSError) -> str:
    """What happened, in the system's words, without number and file."""
    return (error.strerror or str(error) or type(error).__name__).lower()


def read_regular(path: Path, most: int) -> bytes:
    """A file of at most `most` bytes. Raises OSError as `open` does, and as `require_regular`; a pipe blocks nobody."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(descriptor, "rb") as file:
        _require(os.fstat(descriptor), path, most)
        data = file.read(most + 1)
    if len(data) > most:
        raise _larger(path, len(data), most)  # it grew
    return data


def require_regular(path: Path, most: int) -> None:
    """Raise InvalidInput unless the path leads to a regular file, Exhausted for one of more than `most` bytes."""
    _require(path.stat(), path, most)


@contextmanager
def readable(where: str, kind: type[SemLinkError] = InvalidInput, remedy: str = "") -> Iterator[None]:
    """What a reader of a damaged file raises, as one error of `kind` that names the file.

    where: the file, and what it should be, such as "a.npz is no .npz file that can be read".
    """
    try:
        yield
    except SemLinkError:
        raise
    except Exception as error:  # libraries raise anything for damaged bytes
        why = cause(error) if isinstance(error, OSError) and error.strerror else first_line(error)
        told = f"{where} ({why})"
        raise kind(f"{told}; {remedy}" if remedy else told) from error


@contextmanager
def room_told(folder: Path) -> Iterator[None]:
    """Raise Exhausted where a library fails while it writes into a folder whose disk is full.

    Those of C++ and Rust raise errors of their own, which do not say it.
    """
    try:
        yield
    except (SemLinkError, OSError):
        raise
    except Exception as error:
        if is_full(folder):
            raise Exhausted(f"no space is left on the disk of {folder}; {_REMEDIES[errno.ENOSPC]}") from error
        raise


def is_full(folder: Path) -> bool:
    """Whether the disk of a folder takes not even one block more."""
    return shutil.disk_usage(folder).free < _BLOCK_BYTES


def _require(found: os.stat_result, path: Path, most: int) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise InvalidInput(f"{path} is no regular file; devices, pipes and folders are not read")
    if found.st_size > most:
        raise _larger(path, found.st_size, most)


def _larger(path: Path, size: int, most: int) -> Exhausted:
    return Exhausted(f"{path} has {size} bytes; at most {most} are read")


def reason_file(announce: Path) -> Path:
    """Where a service that could not start leaves its reason, beside the file that announces its address."""
    return announce.with_suffix(".reason")


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
                f"cannot put {path} in place: {cause(error)}; check that disk and its space, then try again"
            ) from error
    finally:
        temporary.unlink(missing_ok=True)


def put(path: Path, data: bytes, mode: int) -> None:
    """Put a file in place whole, with these permissions also while it is written. Raises as `replacing`."""
    with replacing(path) as temporary:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)


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
