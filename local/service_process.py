"""One service as a child process."""

import math
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from time import monotonic, sleep

from local.leash import Leash
from shared.errors import Unavailable

POLL_SECONDS = 0.05
_TAIL_LINES = 15


class ServiceProcess:
    """One service as a child process; it can be started again on the same port after it ended.

    name: the package to run. directory: for its log and its announce file. flags: its command line beside
    `--host --port --announce`. port: 0 lets the system choose.
    """

    def __init__(self, name: str, directory: Path, leash: Leash, flags: Sequence[str] = (), port: int = 0) -> None:
        self.name = name
        self.log = directory / f"{name}.log"
        self._announce = directory / f"{name}.address"
        self.log.unlink(missing_ok=True)
        self._announce.unlink(missing_ok=True)
        self._leash = leash
        self._flags = list(flags)
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Process id; None before the first start."""
        return self._process.pid if self._process else None

    @property
    def bound(self) -> bool:
        """Whether it has bound its port, and so whoever answers there is this process and no other."""
        return self._announce.exists()

    def start(self) -> None:
        """Start the process; a later start keeps the port of the first."""
        if self.bound:
            self._port = int(self._announce.read_text().rpartition(":")[2])
            self._announce.unlink()
        command = [sys.executable, "-P", "-m", self.name, *self._own_flags(), *self._flags]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                process_group=self._leash.group,
            )

    def address(self, deadline: float) -> str:
        """HOST:PORT, known at once for a fixed port. deadline: on the monotonic clock."""
        if self._port:
            return f"127.0.0.1:{self._port}"
        while not self.bound:
            self.check(deadline)
            sleep(POLL_SECONDS)
        return self._announce.read_text().strip()

    def check(self, deadline: float = math.inf) -> None:
        """Raise Unavailable with the end of its log if the process has ended or the deadline has passed."""
        status = self._process.poll() if self._process else None
        if status is not None:
            raise Unavailable(f"{self.name} ended with status {status}; the end of {self.log}:\n{self.tail()}")
        if monotonic() > deadline:
            raise Unavailable(f"{self.name} was not ready in time; the end of {self.log}:\n{self.tail()}")

    def tail(self) -> str:
        """The last lines of its log."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(f"    {line}" for line in lines[-_TAIL_LINES:]) or "    (empty)"

    def terminate(self) -> None:
        """Ask it to drain and end."""
        if self._process and self._process.poll() is None:
            self._process.terminate()

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self._process and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def wait(self, seconds: float) -> None:
        """Wait for its end; after `seconds` it is killed."""
        if self._process is None:
            return
        try:
            self._process.wait(max(0.0, seconds))
        except subprocess.TimeoutExpired:
            self.kill()

    def _own_flags(self) -> list[str]:
        return ["--host", "127.0.0.1", "--port", str(self._port), "--announce", str(self._announce)]
