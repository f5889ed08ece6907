"""Breaks a link under load: kill -9, SIGSTOP, a full disk, resets, slow readers, no Milvus; from a seed.

    python -m tests.chaos MINUTES [--seed SEED] [--out FOLDER]

Writes FOLDER/report.md, and the services' logs beside it. Exit status 1 where an invariant did not hold.
"""

import argparse
import asyncio
import shutil
import sys
from pathlib import Path

from tests.chaos.run import chaos


def main() -> int:
    """Read flags, run, write the report."""
    flags = argparse.ArgumentParser(prog="python -m tests.chaos")
    flags.add_argument("minutes", type=float)
    flags.add_argument("--seed", type=int, default=1)
    flags.add_argument("--out", type=Path, default=Path("out/chaos"))
    given = flags.parse_args()
    shutil.rmtree(given.out, ignore_errors=True)
    given.out.mkdir(parents=True)
    found = asyncio.run(chaos(given.out, given.minutes * 60, given.seed))
    (given.out / "report.md").write_text(found.page(), encoding="utf-8")
    print(found.page())
    return int(bool(found.broken))


if __name__ == "__main__":
    sys.exit(main())
