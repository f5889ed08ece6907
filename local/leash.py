"""Child processes that cannot outlive this one, however it ends.

The usual means, PR_SET_PDEATHSIG in a preexec function, runs Python between fork and exec, which hangs or crashes once
gRPC has threads, and it is Linux only. Here a shell of a few bytes leads a process group that all children join, and
reads a pipe whose other end only this process holds. Should the pipe close without a word, even by SIGKILL, the shell
ends its group. No process id is ever remembered, so none can be mistaken. As children are outside the terminal's
foreground group, Ctrl-C reaches only this process, which stops them in its own order.
"""

import subprocess
from typing import Self

_SCRIPT = "trap '' TERM; read -r word && exit 0; kill -TERM 0; sleep 5; kill -KILL 0"


class Leash:
    """A process group that dies with this process. Pass `group` to `subprocess.Popen(process_group=...)`."""

    def __init__(self) -> None:
        self._shell = subprocess.Popen(
            ["/bin/sh", "-c", _SCRIPT],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            process_group=0,
        )

    @property
    def group(self) -> int:
        """Process group for the children."""
        return self._shell.pid

    def release(self) -> None:
        """Let the shell go once the children have ended."""
        if self._shell.poll() is None:
            self._shell.communicate(b"released\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
