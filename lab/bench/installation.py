"""A link of another installation: a checkout beside this one, or an older release, in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Self

from shared.errors import NotFound, Unavailable

_LINK = """
import sys; from pathlib import Path
from local.supervisor import LinkPlan, LocalLink
folder = Path(sys.argv[1])
with LocalLink(LinkPlan(folder / "kb", folder / "logs", sys.argv[2])) as link:
    print(link.transmitter, flush=True); sys.stdin.read()
"""


class Installation:
    """The running link of a checkout, as a context manager; it ends with this process.

    checkout: its folder; the Python of its `.venv` runs it, or this one where it has none. folder: for its knowledge
    base and logs. source: what the knowledge base is built from. Raises NotFound for a folder without SemLink.
    """

    def __init__(self, checkout: Path, folder: Path, source: str) -> None:
        self._checkout = checkout.resolve()
        if not (self._checkout / "local" / "supervisor.py").is_file():
            raise NotFound(f"there is no SemLink in {str(checkout)!r}: give the folder of a checkout")
        python = self._checkout / ".venv" / "bin" / "python"
        self._command = [str(python) if python.is_file() else sys.executable, "-c", _LINK, str(folder), source]
        self.transmitter = ""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command,
            cwd=self._checkout,
            env=os.environ | {"PYTHONPATH": str(self._checkout)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        assert self._process.stdout is not None
        self.transmitter = self._process.stdout.readline().strip()
        if not self.transmitter:
            raise Unavailable(f"the link of {self._checkout} did not start: its last words are above")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()
