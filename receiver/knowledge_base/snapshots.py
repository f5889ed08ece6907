"""Snapshots of a store, and restoring them."""

import shutil
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from receiver.knowledge_base.records import Origin
from receiver.knowledge_base.store.layout import Layout
from receiver.knowledge_base.store.lock import WriterLock
from receiver.knowledge_base.store.sqlite import writing
from receiver.knowledge_base.store.store import Store
from receiver.knowledge_base.store.writer import StoreWriter
from receiver.knowledge_base.verify import verify_store
from shared.errors import DataLoss, Exhausted, Mismatch, NotFound, SemLinkError
from shared.files import cause, fsync, make_directory, replacing
from shared.frame.kb import Kept, Snapshot

MOST_SNAPSHOTS: Final = 64


def take_snapshot(layout: Layout, store: Store, name: str) -> Snapshot:
    """Copy the current state of a store, which may be written meanwhile; replaces a snapshot of that name."""
    path = layout.snapshot(name)
    if len(layout.snapshots()) >= MOST_SNAPSHOTS and not path.exists():
        raise Exhausted(f"there are {MOST_SNAPSHOTS} snapshots: remove some first, `semlink kb snapshots remove NAME`")
    with writing(store.path):
        try:
            make_directory(path.parent)
        except OSError as error:
            raise Exhausted(f"cannot make {path.parent}: {cause(error)}; check that disk for space") from error
        with replacing(path) as temporary:
            store.copy_to(temporary)
            taken = _described(temporary, name, path)  # once it is in place, another caller may remove it
    return taken


def _described(file: Path, name: str, path: Path) -> Snapshot:
    with closing(Store(file)) as copy:
        head, fingerprint = copy.head, copy.head.fingerprint(copy.origin.clip_fingerprint, copy.origin.dim)
        return Snapshot(name, str(path), file.stat().st_size, head.items, head.version, fingerprint)


def list_snapshots(directory: Path) -> list[Kept]:
    """The snapshots of a knowledge base, by name."""
    layout, found = Layout(directory), []
    for name in layout.snapshots():
        try:
            about = layout.snapshot(name).stat()
        except FileNotFoundError:  # removed meanwhile
            continue
        made = datetime.fromtimestamp(about.st_mtime, UTC).isoformat(timespec="seconds")
        found.append(Kept(name, about.st_size, made))
    return found


def remove_snapshot(directory: Path, name: str) -> list[Kept]:
    """Remove one; those that are left. Raises NotFound naming those that there are."""
    layout = Layout(directory)
    try:
        layout.snapshot(name).unlink()
    except FileNotFoundError:
        raise _no_snapshot(layout, name) from None
    return list_snapshots(directory)


def restore_snapshot(directory: Path, name: str) -> None:
    """Restore a snapshot in a directory that no receiver serves, also where its knowledge base is damaged."""
    layout = Layout(directory)
    if not layout.snapshot(name).is_file():
        raise _no_snapshot(layout, name)  # before the lock, which would make the directory
    with WriterLock(directory):
        path = restored_store(layout, name, _version(layout), None)
        layout.adopt(path)
        layout.tidy()


def _version(layout: Layout) -> int:
    """Version of the current store; 0 if it cannot be read."""
    try:
        with closing(Store(layout.current())) as store:
            return store.head.version
    except SemLinkError:
        return 0


def restored_store(layout: Layout, name: str, version: int, origin: Origin | None) -> Path:
    """Make a new store of a snapshot, checked and with a version above the given one; no pointer names it yet.

    origin: its CLIP must be the snapshot's; None for any
    """
    snapshot = layout.snapshot(name)
    if not snapshot.is_file():
        raise _no_snapshot(layout, name)
    if problems := verify_store(snapshot).problems:
        raise DataLoss(
            f"the snapshot {snapshot} is damaged: {problems[0]}; restore another. The knowledge base is unchanged."
        )
    path = layout.new_store()
    try:
        with replacing(path) as temporary:
            shutil.copyfile(snapshot, temporary)
    except FileNotFoundError:  # removed meanwhile
        raise _no_snapshot(layout, name) from None
    except OSError as error:
        raise Exhausted(f"cannot copy {snapshot}: {cause(error)}; make room on that disk and try again") from error
    with closing(StoreWriter(path)) as writer:
        _require_clip(writer.origin, origin, name)
        writer.renew(max(version, writer.head.version) + 1)
    fsync(path)
    return path


def _no_snapshot(layout: Layout, name: str) -> NotFound:
    there = ", ".join(layout.snapshots()) or "none"
    return NotFound(f"there is no snapshot {name!r} in {layout.directory}; there are: {there}")


def _require_clip(found: Origin, wanted: Origin | None, name: str) -> None:
    if wanted is not None and found.clip_fingerprint != wanted.clip_fingerprint:
        raise Mismatch(
            f"the snapshot {name!r} was made with CLIP {found.clip!r} (fingerprint {found.clip_fingerprint}), "
            f"the receiver serves {wanted.clip!r} ({wanted.clip_fingerprint}); restore it while no receiver runs"
        )
