"""A link of another installation: a checkout beside this one, or a commit of this one, in a process of its own."""

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Final, Self

from shared.errors import NotFound, Unavailable

_SUPERVISORS: Final = ("local/supervisor.py", "client/supervisor.py")
"""Where a release has what starts a link, the newest place first."""
_LINK: Final = """
import json, sys; from importlib import import_module; from pathlib import Path
folder, source, flags, module = Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3]), import_module(sys.argv[4])
with module.LocalLink(module.LinkPlan(folder / "kb", folder / "logs", source, flags=flags)) as link:
    print(link.transmitter, flush=True); sys.stdin.read()
"""


class Installation:
    """The running link of another installation, as a context manager; it ends with this process.

    which: folder of a checkout, or a commit of the repository that this file is in; the Python of a checkout's `.venv`
    runs it, or this one. folder: for its files. source: what its knowledge base is built from. flags: by service.
    Raises NotFound for what is neither, or no SemLink.
    """

    def __init__(self, which: str, folder: Path, source: str, flags: Mapping[str, Sequence[str]] | None = None) -> None:
        given = Path(which)
        self._checkout = given.resolve() if given.is_dir() else _unpacked(which, folder / "checkout")
        found = next((place for place in _SUPERVISORS if (self._checkout / place).is_file()), None)
        if found is None:
            raise NotFound(f"there is no SemLink in {which!r}: give the folder of a checkout, or a commit")
        own = self._checkout / ".venv" / "bin" / "python"
        python = str(own) if own.is_file() else sys.executable
        module = found.removesuffix(".py").replace("/", ".")
        self._command = [python, "-c", _LINK, str(folder), source, json.dumps(dict(flags or {})), module]
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


def _unpacked(commit: str, folder: Path) -> Path:
    """The files of a commit. Raises NotFound where there is none."""
    command = ["git", "-C", str(Path(__file__).parents[2]), "archive", "--format=tar", commit]
    archive = subprocess.run(command, capture_output=True, check=False)
    if archive.returncode:
        why = archive.stderr.decode(errors="replace").strip()
        raise NotFound(f"{commit!r} is neither a folder nor a commit of this checkout ({why})")
    with tarfile.open(fileobj=BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")
    return folder
