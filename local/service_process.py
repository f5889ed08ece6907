"""One service as a child process, which cannot outlive this one.

The child reads its standard input from a pipe whose other end only this process holds, and stops when that end closes
(`--stop-with-stdin`): also when this process is killed by SIGKILL. PR_SET_PDEATHSIG, the usual means, is Linux only and
needs Python between fork and exec, which can hang or crash once gRPC has threads.
"""

import math
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from time import monotonic, sleep

from local.health import wait_serving
from shared.errors import Unavailable

_POLL_SECONDS = 0.05
_ENDING_SECONDS = 1.0  # from the end of a process's connections to its own end
_TAIL_LINES = 15


class ServiceProcess:
    """One service as a child process; it can be started again on the same port after it ended.

    name: the package to run. directory: for its log and its announce file. flags: its command line beside those that
    this class adds. port: 0 lets the system choose.
    """

    def __init__(self, name: str, directory: Path, flags: Sequence[str] = (), port: int = 0) -> None:
        self.name = name
        self.log = directory / f"{name}.log"
        self._announce = directory / f"{name}.address"
        self.log.unlink(missing_ok=True)
        self._announce.unlink(missing_ok=True)
        self._flags = list(flags)
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Process id; None before the first start."""
        return self._process.pid if self._process else None

    @property
    def bound(self) -> bool:
        """Whether it has bound its port, so that this process and no other answers there."""
        return self._announce.exists()

    def start(self) -> None:
        """Start the process; a later start keeps the port of the first.

        It leads a process group of its own: Ctrl-C reaches only this process, which stops the services in order.
        """
        if self.bound:
            self._port = int(self._announce.read_text().rpartition(":")[2])
            self._announce.unlink()
        own = command_line(host="127.0.0.1", port=self._port, announce=self._announce, stop_with_stdin=True)
        command = [sys.executable, "-P", "-m", self.name, *own, *self._flags]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, process_group=0
            )

    def address(self, deadline: float) -> str:
        """HOST:PORT, known at once for a fixed port. deadline: on the monotonic clock."""
        return f"127.0.0.1:{self._port}" if self._port else self.bound_address(deadline)

    def bound_address(self, deadline: float) -> str:
        """HOST:PORT once the port is bound."""
        while not self.bound:
            self.check()
            if monotonic() > deadline:
                raise self._unavailable("was not ready in time")
            sleep(_POLL_SECONDS)
        return self._announce.read_text().strip()

    def wait_ready(self, deadline: float) -> None:
        """Wait until gRPC health says SERVING. Raises Unavailable with the end of its log if it ends or is late."""
        try:
            wait_serving(self.bound_address(deadline), deadline - monotonic())
        except Unavailable:
            self.check(_ENDING_SECONDS)
            raise self._unavailable("was not ready in time") from None

    def check(self, seconds: float = 0.0) -> None:
        """Raise Unavailable with the end of its log if the process has ended, or ends within `seconds`."""
        if self._process is None:
            return
        try:
            status = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return
        raise self._unavailable(f"ended with status {status}")

    def tail(self) -> str:
        """The last lines of its log."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(f"    {line}" for line in lines[-_TAIL_LINES:]) or "    (empty)"

    def terminate(self) -> None:
        """Ask it to drain and end."""
        if self._process:
            self._process.terminate()

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self._process:
            self._process.kill()
            self.wait(math.inf)

    def wait(self, seconds: float) -> None:
        """Wait for its end; after `seconds` it is killed."""
        if self._process is None:
            return
        try:
            self._process.wait(None if math.isinf(seconds) else max(0.0, seconds))
        except subprocess.TimeoutExpired:
            self.kill()
        if self._process.stdin:
            self._process.stdin.close()

    def _unavailable(self, why: str) -> Unavailable:
        return Unavailable(f"{self.name} {why}; the end of {self.log}:\n{self.tail()}")


def command_line(**options: object) -> list[str]:
    """Flags of a service by their names: none for None and False, a bare one for True, one for each value of a list."""
    flags: list[str] = []
    for name, value in options.items():
        for one in value if isinstance(value, list) else [value]:
            if one is not None and one is not False:
                flags += [f"--{name.replace('_', '-')}", *([] if one is True else [str(one)])]
    return flags
