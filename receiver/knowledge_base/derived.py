"""The index on disk: derived from the store, and never believed without proof.

    | payload: what the engine wrote | magic, 8 bytes | SHA-256 of (engine, store's fingerprint) | SHA-256 of payload |

The proof stands at the end, so that an engine can still map its part of the file into memory from the start.
"""

import hashlib
import os
from pathlib import Path
from typing import BinaryIO

import structlog

from receiver.knowledge_base.durable import replacing
from receiver.knowledge_base.index import FlatIndex, IndexEngine
from receiver.knowledge_base.records import Floats
from receiver.knowledge_base.schema import digest
from receiver.knowledge_base.store import STORE_FILE, Store
from shared.errors import Exhausted

_MAGIC = b"SEMLIDX1"
_TRAILER_BYTES = len(_MAGIC) + 32 + 32
_CHUNK_BYTES = 1 << 20

_log = structlog.get_logger()


def index_path(directory: Path, engine: str) -> Path:
    """Where an engine's index lies."""
    return directory / f"index-{engine}.bin"


def load_or_build(engine: IndexEngine, directory: Path, fingerprint: str, embeddings: Floats) -> None:
    """Fill the engine from its file, or from the store's embeddings where the file is missing, stale or damaged."""
    path = index_path(directory, engine.name)
    reason = _load(engine, path, _key(engine, fingerprint))
    if reason is None:
        return
    _log.info("index rebuilt from the store", path=str(path), reason=reason, items=len(embeddings))
    _build_and_save(engine, path, _key(engine, fingerprint), embeddings)


def index_store(directory: Path) -> None:
    """Read a directory's new store, which proves it, and lay the default engine's index beside it."""
    store = Store(directory / STORE_FILE)
    try:
        engine = FlatIndex("cpu")
        _build_and_save(
            engine, index_path(directory, engine.name), _key(engine, store.fingerprint), store.read().embeddings
        )
    finally:
        store.close()


def _build_and_save(engine: IndexEngine, path: Path, key: bytes, embeddings: Floats) -> None:
    engine.build(embeddings)
    try:
        with replacing(path) as temporary:
            engine.save(temporary)
            with temporary.open("r+b") as file:
                payload = _digest(file, temporary.stat().st_size)
                file.write(_MAGIC + key + payload)
    except (Exhausted, OSError, RuntimeError) as error:  # a read-only or full disk: the index serves from memory
        _log.warning("index not saved, it will be built again at the next start", path=str(path), error=str(error))


def _key(engine: IndexEngine, fingerprint: str) -> bytes:
    return digest((engine.name.encode(), fingerprint.encode()))


def _load(engine: IndexEngine, path: Path, key: bytes) -> str | None:
    """Load the file into the engine; what is wrong with the file where that fails."""
    try:
        with path.open("rb") as file:
            if (reason := _disproof(file, key)) is not None:
                return reason
            engine.load(path)
            # The open file keeps its number, so a builder that has put another in its place is seen.
            return None if os.path.samestat(os.fstat(file.fileno()), path.stat()) else "replaced meanwhile"
    except FileNotFoundError:
        return "missing"
    except (OSError, RuntimeError) as error:
        return f"unreadable: {error}"


def _disproof(file: BinaryIO, key: bytes) -> str | None:
    """Why an index file is not to be believed, None for one that is."""
    payload_bytes = file.seek(-_TRAILER_BYTES, os.SEEK_END)
    trailer = file.read()
    if not trailer.startswith(_MAGIC):
        return "damaged"
    if trailer[len(_MAGIC) : -32] != key:
        return "stale"
    file.seek(0)
    return None if trailer[-32:] == _digest(file, payload_bytes) else "damaged"


def _digest(file: BinaryIO, size: int) -> bytes:
    """SHA-256 of the next `size` bytes of a file."""
    state = hashlib.sha256()
    while size > 0 and (chunk := file.read(min(_CHUNK_BYTES, size))):
        state.update(chunk)
        size -= len(chunk)
    return state.digest()
