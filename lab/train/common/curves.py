"""What a training measures in each epoch: kept with its checkpoint, written as CSV, and the last one's cost said."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from rich.console import Console

from lab.bench.energy import Spent, spent_on


class Curves:
    """One line for each epoch, by the names of its columns; time and energy are added.

    path: of the CSV file. last: what the last epoch of this process took.
    """

    def __init__(self, path: Path, device: torch.device) -> None:
        self.rows: list[dict[str, float]] = []
        self._path, self._device = path, device
        self.last: Spent | None = None

    @contextmanager
    def epoch(self) -> Iterator[dict[str, float]]:
        """Run an epoch in the body, which fills its line."""
        row: dict[str, float] = {"epoch": len(self.rows) + 1}
        with spent_on(self._device) as spent:
            yield row
        self.rows.append(row | spent.row)
        self.last = spent
        write_curves(self._path, self.rows)


def write_curves(path: Path, rows: Sequence[Mapping[str, float]]) -> None:
    """Write one line for each epoch, with the columns of the last one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[-1]), extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def say_last(console: Console, what: str, spent: Spent | None) -> None:
    """Say what the last epoch took; nothing where a resumed run had none left to do."""
    if spent is not None:
        console.print(f"{what}: the last epoch took {spent}", soft_wrap=True, markup=False, highlight=False)
