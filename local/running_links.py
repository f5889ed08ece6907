"""The links of this user that run on this machine, so that another command can find and stop them.

Each link holds a lock on a file of its own while it runs. A file that nobody locks was left by a link that was killed,
whatever its process id means today.
"""

import fcntl
import json
import os
import signal
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import IO, NamedTuple

from shared.errors import Unavailable
from shared.files import said

_POLL_SECONDS = 0.05


class RunningLink(NamedTuple):
    """A link that runs. pid: of `semlink up`. addresses: HOST:PORT by service."""

    pid: int
    addresses: dict[str, str]


@contextmanager
def registered(addresses: Mapping[str, str]) -> Iterator[None]:
    """Let `stop_links` find this process while the body runs.

    Raises Unavailable where the folder for it cannot be written.
    """
    file = _directory() / f"{os.getpid()}.json"
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        held = file.open("w", encoding="utf-8")
    except OSError as error:
        raise Unavailable(f"{said(error)}; or set XDG_RUNTIME_DIR to such a folder") from error
    with held:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        json.dump({"pid": os.getpid(), "addresses": dict(addresses)}, held)
        held.flush()
        try:
            yield
        finally:
            file.unlink(missing_ok=True)


def running_links() -> list[RunningLink]:
    """The links of this user that run now."""
    return [link for _, link in _found()]


def stop_links(seconds: float) -> list[RunningLink]:
    """Stop all links of this user: SIGTERM, and SIGKILL for one that still runs after `seconds`. Gives what ran."""
    found = _found()
    for _, link in found:
        os.kill(link.pid, signal.SIGTERM)
    deadline = monotonic() + seconds
    for file, link in found:
        while _is_held(file):
            if monotonic() > deadline:
                os.kill(link.pid, signal.SIGKILL)  # its services end with its pipes
                file.unlink(missing_ok=True)
            sleep(_POLL_SECONDS)
    return [link for _, link in found]


def _directory() -> Path:
    """For files of this user that last as long as processes."""
    base = os.environ.get("XDG_RUNTIME_DIR")
    return Path(base) / "semlink" if base else Path(tempfile.gettempdir()) / f"semlink-{os.getuid()}"


def _found() -> list[tuple[Path, RunningLink]]:
    found = []
    for file in sorted(_directory().glob("*.json")):
        if not _is_held(file):
            file.unlink(missing_ok=True)
            continue
        document = json.loads(file.read_text(encoding="utf-8"))
        found.append((file, RunningLink(document["pid"], document["addresses"])))
    return found


def _is_held(file: Path) -> bool:
    """Whether a link runs that wrote this file. Only files of this user count."""
    try:
        with file.open(encoding="utf-8") as probe:
            if os.fstat(probe.fileno()).st_uid != os.getuid():
                return False
            return not _locked(probe)
    except FileNotFoundError:
        return False


def _locked(probe: IO[str]) -> bool:
    try:
        fcntl.flock(probe, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
