"""Sources that stand for several: `shards/{000..099}.tar`, `shards/*.tar`, a folder of shards."""

import glob
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from shared.errors import InvalidInput
from shared.local_path import local_path

_BRACES: Final = re.compile(r"\{([^{}]*)\}")
_RANGE: Final = re.compile(r"(\d+)\.\.(\d+)")
_MOST: Final = 1_000_000
SHARDS: Final = (".tar", ".parquet", ".npz", ".npy", ".csv", ".tsv")
"""What a folder without pictures may hold instead; the first kind that is there counts."""


def expand(spec: str) -> list[str]:
    """The sources that one stands for, in order: brace ranges and lists, then globs. A plain one stands for itself.

    A name that a range makes is kept though no file has it, so that it can be reported.
    """
    if local_path(spec).exists():
        return [spec]
    expanded = []
    for one in _braces(spec):
        found = sorted(glob.glob(one, recursive=True), key=natural) if glob.has_magic(one) else []  # noqa: PTH207
        expanded += found or [one]
    return expanded


def shards_in(folder: Path) -> list[Path]:
    """The shards of a folder, in the order of their numbers; none where it has none."""
    for suffix in SHARDS:
        found = [path for path in folder.iterdir() if path.suffix.lower() == suffix and not path.name.startswith(".")]
        if found:
            return sorted(found, key=lambda path: natural(path.name))
    return []


def natural(name: str) -> list[tuple[int, str]]:
    """A key by which part_10 comes after part_2."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def _braces(spec: str) -> Iterator[str]:
    found = _BRACES.search(spec)
    if found is None:
        yield spec
        return
    before, after = spec[: found.start()], spec[found.end() :]
    for choice in _choices(found[1]):
        yield from _braces(f"{before}{choice}{after}")


def _choices(inside: str) -> Iterator[str]:
    numbers = _RANGE.fullmatch(inside)
    if numbers is None:
        yield from inside.split(",")
        return
    first, last = int(numbers[1]), int(numbers[2])
    if abs(last - first) >= _MOST:
        raise InvalidInput(f"{{{inside}}} stands for more than {_MOST:,} names")
    for number in range(first, last + 1) if first <= last else range(first, last - 1, -1):
        yield str(number).zfill(len(numbers[1]))
