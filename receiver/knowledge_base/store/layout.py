"""The files of a knowledge base's directory.

    lock                          held by the one writer
    current                       names the current store; replaced atomically
    building                      names the store of a build that has not finished
    store-XXXX.sqlite             a store, with SQLite's -wal and -shm beside it while it is open
    store-XXXX.ENGINE.index       an index, derived from that store
    store-XXXX.ranking            its embeddings again, to rank what an index finds
    snapshots/NAME.sqlite         copies made by `snapshot`

A store's name is never used again, so that SQLite cannot take an old -wal file for that of a new store.
"""

import re
from pathlib import Path
from uuid import uuid4

from shared.errors import DataLoss, InvalidInput, NotFound
from shared.files import clear_temporaries, replacing

_STORE_NAME = re.compile(r"store-[0-9a-f]{16}\.sqlite")
_SNAPSHOT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_OLD_STORE = "store.sqlite"  # of schema version 1


class Layout:
    """Where things are in one directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def current(self) -> Path:
        """The current store. Raises NotFound, with the command to type, if there is none."""
        store = self._named_by("current")
        if store is None and (self.directory / _OLD_STORE).exists():
            return self.directory / _OLD_STORE  # opening it says that its schema is too old
        if store is None:
            raise NotFound(
                f"no knowledge base in {self.directory}; make one with `semlink kb build SOURCE --out {self.directory}`"
            )
        return store

    def building(self) -> Path | None:
        """The store of a build that was stopped, None without one."""
        try:
            store = self._named_by("building")
        except DataLoss:
            return None
        # A crash between `adopt` and `drop_building` leaves both pointers on one store.
        return None if store is not None and store == self._named_by("current") else store

    def new_store(self) -> Path:
        """A new name for a store."""
        return self.directory / f"store-{uuid4().hex[:16]}.sqlite"

    def begin(self, store: Path) -> None:
        """Let `building` name a store."""
        self._write("building", store)

    def adopt(self, store: Path) -> None:
        """Let `current` name a store, atomically and durably."""
        self._write("current", store)

    def drop_building(self) -> None:
        """Forget the build that did not finish."""
        (self.directory / "building").unlink(missing_ok=True)

    def index(self, store: Path, engine: str) -> Path:
        """Where an engine's index of a store lies."""
        return self.directory / f"{store.stem}.{engine}.index"

    def ranking(self, store: Path) -> Path:
        """Where a store's embeddings lie for ranking."""
        return store.with_suffix(".ranking")

    def drop_indexes(self, store: Path, but: str) -> None:
        """Remove a store's indexes of other engines than this one."""
        for path in set(self.directory.glob(f"{store.stem}.*.index")) - {self.index(store, but)}:
            path.unlink(missing_ok=True)

    def snapshot(self, name: str) -> Path:
        """Where a snapshot of that name lies. Raises InvalidInput for a name that could lead elsewhere."""
        if not _SNAPSHOT_NAME.fullmatch(name):
            raise InvalidInput(
                f"a snapshot cannot be called {name[:200]!r}: use up to 100 letters, digits and any of . _ -"
            )
        return self.directory / "snapshots" / f"{name}.sqlite"

    def snapshots(self) -> list[str]:
        """Names of all snapshots, sorted."""
        return sorted(path.stem for path in (self.directory / "snapshots").glob("*.sqlite"))

    def tidy(self) -> None:
        """Remove files that no pointer names; for the directory's one writer. Readers keep their open files."""
        clear_temporaries(self.directory)
        if (self.directory / "snapshots").is_dir():
            clear_temporaries(self.directory / "snapshots")
        try:
            stores = (self._named_by("current"), self.building())
        except DataLoss:  # without a pointer it is unknown what is in use
            return
        kept = {store.stem for store in stores if store is not None}
        leftovers = [path for path in self.directory.glob("store-*") if path.name.partition(".")[0] not in kept]
        if stores[0] is not None:
            leftovers += [self.directory / _OLD_STORE, *self.directory.glob("index-*.bin")]  # of schema version 1
        for path in leftovers:
            path.unlink(missing_ok=True)

    def _named_by(self, pointer: str) -> Path | None:
        try:
            name = (self.directory / pointer).read_bytes().decode("ascii", "replace").strip()
        except (FileNotFoundError, NotADirectoryError):
            return None
        if not _STORE_NAME.fullmatch(name) or not (self.directory / name).is_file():
            raise DataLoss(
                f"{self.directory / pointer} is damaged: it names {name[:80]!r}, which is no store there. "
                f"Restore a snapshot with `semlink kb restore NAME --kb {self.directory}`, or build anew."
            )
        return self.directory / name

    def _write(self, pointer: str, store: Path) -> None:
        with replacing(self.directory / pointer) as temporary:
            temporary.write_text(f"{store.name}\n", encoding="utf-8")
