"""Counters, gauges and histograms that cost half a microsecond to update.

Those of prometheus_client take locks, 3 to 5 us for one update, and 0.1 s to import. So the services count here, and
`exposition` gives the figures to prometheus_client when they are read. All updates come from the event loop; a reader
in another thread may see one figure that is newer than another.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

Labels: TypeAlias = tuple[str, ...]
Read: TypeAlias = Callable[[], float]


@dataclass
class Figure:
    """What counter, gauge and histogram share. name: with its unit, without `_total`. labels: their names."""

    name: str
    help: str
    labels: Labels = ()


@dataclass
class Count(Figure):
    """A number that only grows. values: by label values. reads: numbers that are looked up when they are read."""

    values: dict[Labels, float] = field(default_factory=dict)
    reads: dict[Labels, Read] = field(default_factory=dict)

    def add(self, *labels: str, by: float = 1.0) -> None:
        """Count once more, or `by` more."""
        self.values[labels] = self.values.get(labels, 0.0) + by

    def read_from(self, read: Read, *labels: str) -> None:
        """Let `read` say the number whenever it is read. It is called in another thread."""
        self.reads[labels] = read

    def samples(self) -> list[tuple[Labels, float]]:
        """Label values, and the number now."""
        return [*self.values.copy().items(), *((labels, read()) for labels, read in self.reads.copy().items())]


@dataclass
class Level(Count):
    """A number that goes up and down."""


@dataclass
class Buckets:
    """A histogram of one set of label values. counts: one for each bound and one for what is above all of them."""

    counts: list[int]
    total: float = 0.0


@dataclass
class Distribution(Figure):
    """A histogram. bounds: upper bounds of its buckets, growing."""

    bounds: Sequence[float] = ()
    values: dict[Labels, Buckets] = field(default_factory=dict)

    def observe(self, value: float, *labels: str) -> None:
        """Count a value. One that is not finite would spoil the sum for ever, and is left out."""
        if not math.isfinite(value):
            return
        held = self.values.get(labels)
        if held is None:
            held = self.values[labels] = Buckets([0] * (len(self.bounds) + 1))
        held.counts[bisect_left(self.bounds, value)] += 1
        held.total += value

    def samples(self) -> list[tuple[Labels, list[int], float]]:
        """Label values, counts of values in each bucket, and their sum."""
        return [(labels, list(held.counts), held.total) for labels, held in self.values.copy().items()]
