"""Fuzzes all that takes bytes from outside: each group of parsers under atheris, then the services over sockets.

    python -m tests.fuzz SECONDS [GROUP ...] [--seed SEED] [--runs N]

groups: messages, files, settings, pictures, sockets; all by default

With the same seed and without out/fuzz the same inputs come in the same order; by default each run has a seed of its
own, which is printed. Each group has so many seconds, or N inputs where that comes first; two run at a time. Exit
status 1 where anything was too much; what was, lies in tests/fuzz/crashes, and the tests hold it from then on. Inputs
that reached new lines are kept in out/fuzz.
"""

import argparse
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from random import randrange
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from tests.fuzz.table import GROUPS

_SOCKETS: Final = "sockets"
_OUT: Final = Path("out/fuzz")
_TOGETHER: Final = 2


class Outcome(NamedTuple):
    """Of a group: its exit status, and what it printed."""

    group: str
    status: int
    text: str

    @property
    def line(self) -> str:
        """How many inputs there were, or the end of what was printed."""
        for line in reversed(self.text.splitlines()):
            if line.startswith(("Done ", "SKIPPED", "messages:")):
                return line
        return "FAILED:\n" + "\n".join(f"    {line}" for line in self.text.splitlines()[-30:])


def run(group: str, seconds: float, seed: int, runs: int) -> Outcome:
    """Fuzz one group in a process of its own. runs: most inputs of a group under atheris; -1 for no limit."""
    if group == _SOCKETS:
        command = ["tests.fuzz.sockets", str(seconds), str(seed)]
    elif find_spec("atheris") is None:
        return Outcome(group, 0, "SKIPPED: there is no atheris for this platform; its seeds are run by the tests")
    else:
        command = ["tests.fuzz.guided", group, str(int(seconds)), str(_OUT / group), str(seed), str(runs)]
    with TemporaryDirectory(prefix="semlink-fuzz-") as scratch:  # libFuzzer ends without cleaning up
        done = subprocess.run(
            [sys.executable, "-m", *command],
            env={**os.environ, "TMPDIR": scratch, "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    return Outcome(group, done.returncode, done.stdout)


def main() -> int:
    """Read flags, fuzz groups; the exit status."""
    every = (*GROUPS, _SOCKETS)
    flags = argparse.ArgumentParser(prog="python -m tests.fuzz")
    flags.add_argument("seconds", type=float)
    flags.add_argument("groups", nargs="*", help=f"some of {', '.join(every)}; all where none is named")
    flags.add_argument("--seed", type=int, default=randrange(1, 1 << 31), help="another one each time by default")
    flags.add_argument("--runs", type=int, default=-1, help="most inputs of each group; no limit by default")
    given = flags.parse_args()
    if unknown := set(given.groups) - set(every):
        flags.error(f"no such group: {', '.join(unknown)}; choose from {', '.join(every)}")
    print(f"seed {given.seed}")
    failed = False
    with ThreadPoolExecutor(_TOGETHER) as pool:
        for outcome in pool.map(lambda group: run(group, given.seconds, given.seed, given.runs), given.groups or every):
            print(f"{outcome.group:10} {outcome.line}", flush=True)
            failed |= outcome.status != 0
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
