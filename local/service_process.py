"""One service as a child process, which cannot outlive this one.

The child reads its standard input from a pipe whose other end only this process holds, and stops when that end closes
(`--stop-with-stdin`): also when this process is killed by SIGKILL. PR_SET_PDEATHSIG, the usual means, is Linux only and
needs Python between fork and exec, which can hang or crash once gRPC has threads.
"""

import math
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic, sleep, time

from local.health import wait_serving
from shared.errors import Unavailable
from shared.files import is_full, reason_file

_POLL_SECONDS = 0.05
_SLICE_SECONDS = 2.0
_TAIL_LINES = 15
_SILENCE_SECONDS = 60.0
"""A service that wrote into its log within this time is at work, such as building a large knowledge base: not late."""


class ServiceProcess:
    """One service as a child process; it can be started again on the same port after it ended.

    name: the package to run. directory: for its log and its announce file. flags: its command line beside those that
    this class adds. port: 0 lets the system choose.
    """

    def __init__(self, name: str, directory: Path, flags: Sequence[str] = (), port: int = 0) -> None:
        self.name = name
        self.log = directory / f"{name}.log"
        self._announce = directory / f"{name}.address"
        self._reason = reason_file(self._announce)
        for earlier in (self.log, self._announce, self._reason):
            earlier.unlink(missing_ok=True)
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
            self._port = int(self._announce.read_text(encoding="utf-8").rpartition(":")[2])
            self._announce.unlink()
        own = command_line(host="127.0.0.1", port=self._port, announce=self._announce, stop_with_stdin=True)
        command = [sys.executable, "-P", "-m", self.name, *own, *self._flags]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, process_group=0
            )

    def address(self, deadline: float, meanwhile: Callable[[], None] = lambda: None) -> str:
        """HOST:PORT, known at once for a fixed port. deadline: on the monotonic clock.

        meanwhile: called again and again while it is waited for; may raise.
        """
        return f"127.0.0.1:{self._port}" if self._port else self.bound_address(deadline, meanwhile)

    def bound_address(self, deadline: float, meanwhile: Callable[[], None] = lambda: None) -> str:
        """HOST:PORT once the port is bound."""
        while not self.bound:
            self.check()
            meanwhile()
            if self._is_late(deadline):
                raise self._late()
            sleep(_POLL_SECONDS)
        return self._announce.read_text(encoding="utf-8").strip()

    def wait_ready(self, deadline: float) -> None:
        """Wait until gRPC health says SERVING. Raises Unavailable if it ends, with the reason, or is late."""
        address = self.bound_address(deadline)
        while True:
            try:  # in slices, since a port that nobody listens on any more is waited for like one that is slow
                return wait_serving(address, _SLICE_SECONDS)
            except Unavailable:
                self.check()
                if self._is_late(deadline):
                    raise self._late() from None

    def check(self, seconds: float = 0.0) -> None:
        """Raise Unavailable with the reason if the process has ended, or ends within `seconds`."""
        if self._process is None:
            return
        try:
            status = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return
        raise Unavailable(f"{self.name} ended with status {status}: {self._why()} (log: {self.log})")

    def tail(self) -> str:
        """The last lines of its log."""
        lines = self.log.read_text(errors="replace", encoding="utf-8").splitlines() if self.log.exists() else []
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

    def _why(self) -> str:
        """What the service itself left as its reason; else the last line of its log, as after a crash."""
        reason = self._reason.read_text(encoding="utf-8", errors="replace").strip() if self._reason.exists() else ""
        if reason:
            return reason
        if is_full(self.log.parent):  # nobody could write a reason, nor all of the log
            return f"no space is left on the disk of {self.log.parent}; free some, or choose another folder, --out"
        lines = self.log.read_text(errors="replace", encoding="utf-8").split("\n") if self.log.exists() else []
        return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")

    def _is_late(self, deadline: float) -> bool:
        return monotonic() > deadline and time() - self.log.stat().st_mtime > _SILENCE_SECONDS

    def _late(self) -> Unavailable:
        return Unavailable(f"{self.name} was not ready in time; the end of {self.log}:\n{self.tail()}")


def command_line(**options: object) -> list[str]:
    """Flags of a service by their names: none for None and False, a bare one for True, one for each value of a list."""
    flags: list[str] = []
    for name, value in options.items():
        for one in value if isinstance(value, list) else [value]:
            if one is not None and one is not False:
                flags += [f"--{name.replace('_', '-')}", *([] if one is True else [str(one)])]
    return flags
