"""Index file; used only if its checksum matches the store.

    | payload: what the engine wrote | magic | SHA-256 of (engine, store_id) | covered, uint64 | SHA-256 of all before |

It covers the items below the position `covered`; later ones are read from the store. The checksum stands at the end, so
that an engine can map its part of the file into memory from the start.
"""

import hashlib
import os
from pathlib import Path
from typing import BinaryIO

import structlog

from receiver.knowledge_base.index.base import IndexEngine
from receiver.knowledge_base.store.schema import digest
from shared.errors import Exhausted
from shared.files import replacing

_MAGIC = b"SEMLIDX2"
_COVERED_BYTES = 8
_TRAILER_BYTES = len(_MAGIC) + 32 + _COVERED_BYTES + 32
_CHUNK_BYTES = 1 << 20

_log = structlog.get_logger()


def load_index(engine: IndexEngine, path: Path, store_id: str) -> int:
    """Fill the engine from its file; the position up to which it covers the store, 0 if the file is not valid."""
    try:
        with path.open("rb") as file:
            covered, reason = _read_trailer(file, _key(engine.name, store_id))
            if reason is None:
                engine.load(path)
                # An open file keeps its inode, so a replacement by the writer is noticed.
                if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                    return covered
                reason = "replaced meanwhile"
    except FileNotFoundError:
        reason = "missing"
    except (OSError, RuntimeError) as error:
        reason = f"unreadable: {error}"
    _log.info("index rebuilt from the store", path=str(path), reason=reason)
    return 0


def save_index(engine: IndexEngine, path: Path, store_id: str, covered: int) -> bool:
    """Write the engine's file with its checksum; False, and logged, if the disk is full or read-only."""
    try:
        with replacing(path) as temporary:
            engine.save(temporary)
            with temporary.open("r+b") as file:
                file.seek(0, os.SEEK_END)
                file.write(_MAGIC + _key(engine.name, store_id) + covered.to_bytes(_COVERED_BYTES, "little"))
                size = file.tell()
                file.seek(0)
                checksum = _digest(file, size)
                file.seek(size)
                file.write(checksum)
    except (Exhausted, OSError, RuntimeError) as error:  # the index in memory remains in use
        _log.warning("index not saved, it will be built again at the next start", path=str(path), error=str(error))
        return False
    return True


def index_problem(engine_name: str, path: Path, store_id: str) -> str | None:
    """The problem of an index file, None for a valid one."""
    try:
        with path.open("rb") as file:
            return _read_trailer(file, _key(engine_name, store_id))[1]
    except OSError as error:
        return f"unreadable: {error}"


def _key(engine_name: str, store_id: str) -> bytes:
    return digest((engine_name.encode(), store_id.encode()))


def _read_trailer(file: BinaryIO, key: bytes) -> tuple[int, str | None]:
    """The position up to which the file covers the store, and why it is not valid; None if it is."""
    if file.seek(0, os.SEEK_END) < _TRAILER_BYTES:
        return 0, "damaged"
    checked_bytes = file.seek(-_TRAILER_BYTES, os.SEEK_END) + _TRAILER_BYTES - 32
    trailer = file.read()
    if not trailer.startswith(_MAGIC):
        return 0, "damaged"
    if trailer[len(_MAGIC) :][:32] != key:
        return 0, "stale"
    file.seek(0)
    if trailer[-32:] != _digest(file, checked_bytes):
        return 0, "damaged"
    return int.from_bytes(trailer[-32 - _COVERED_BYTES : -32], "little"), None


def _digest(file: BinaryIO, size: int) -> bytes:
    """SHA-256 of the next `size` bytes of a file."""
    state = hashlib.sha256()
    while size > 0 and (chunk := file.read(min(_CHUNK_BYTES, size))):
        state.update(chunk)
        size -= len(chunk)
    return state.digest()
