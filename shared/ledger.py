"""The ledger: the time that each stage of one delivery took.

It holds durations only, each measured on the monotonic clock of one host. The stages in their order:

    access -> preprocess -> queue -> encode -> compress -> wire -> channel -> air_queue -> airtime -> propagation
           -> delay -> header -> receive_queue -> equalize -> decode -> embed -> answer -> search -> other

Airtime and propagation are emulated, unless `airtime = "real"` makes the channel wait for them.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from time import perf_counter
from typing import NamedTuple


class Kind(StrEnum):
    """Whether a duration was measured or only computed."""

    MEASURED = "measured"
    EMULATED = "emulated"


class Stage(StrEnum):
    """The stages of a delivery."""

    ACCESS = "access"  # client to transmitter and back
    PREPROCESS = "preprocess"  # decode the picture, resize it
    QUEUE = "queue"  # wait for a place in an encoder batch
    ENCODE = "encode"  # CLIP
    COMPRESS = "compress"  # codec
    WIRE = "wire"  # sockets and relaying: transmitter to receiver and back
    CHANNEL = "channel"  # computing fading and noise
    AIR_QUEUE = "air_queue"  # wait until the channel is free; real airtime only
    AIRTIME = "airtime"  # symbols / symbol rate
    PROPAGATION = "propagation"  # of the burst; that of the answer is not emulated
    DELAY = "delay"  # by a fault: delay, jitter, reordering, a stall
    HEADER = "header"  # decode it; framing explicit only
    RECEIVE_QUEUE = "receive_queue"  # wait for a place in a decoder batch
    EQUALIZE = "equalize"
    DECODE = "decode"
    EMBED = "embed"  # CLIP in the receiver, on decoded pictures
    ANSWER = "answer"  # of the question, on the rebuilt picture
    SEARCH = "search"
    OTHER = "other"  # the rest of the measured total


AIR = frozenset({Stage.CHANNEL, Stage.AIR_QUEUE, Stage.AIRTIME, Stage.PROPAGATION, Stage.DELAY})
"""Stages that the channel books."""

RECEIVER = frozenset(
    {Stage.HEADER, Stage.RECEIVE_QUEUE, Stage.EQUALIZE, Stage.DECODE, Stage.EMBED, Stage.ANSWER, Stage.SEARCH}
)
"""Stages that the receiver books."""

_PLACES = {stage.value: place for place, stage in enumerate(Stage)}


def place_of(stage: str) -> int:
    """Position of a stage in the order above; unknown stages come last."""
    return _PLACES.get(stage, len(_PLACES))


class Entry(NamedTuple):
    """One stage: its name, its duration in seconds, measured or emulated."""

    stage: str
    seconds: float
    kind: Kind = Kind.MEASURED


@dataclass
class Ledger:
    """The entries of one delivery, in order of their booking."""

    entries: list[Entry] = field(default_factory=list)

    def book(self, stage: str, seconds: float, kind: Kind = Kind.MEASURED) -> None:
        """Add a stage. seconds: >= 0; rounding below zero is booked as 0."""
        self.entries.append(Entry(stage, max(0.0, seconds), kind))

    def extend(self, entries: Iterable[Entry]) -> None:
        """Add entries of another host."""
        self.entries.extend(entries)

    def merged(self) -> tuple[Entry, ...]:
        """One entry for each stage and kind, the sum of its bookings, in the order of the first ones."""
        sums: dict[tuple[str, Kind], float] = {}
        for stage, seconds, kind in self.entries:
            sums[stage, kind] = sums.get((stage, kind), 0.0) + seconds
        return tuple(Entry(stage, seconds, kind) for (stage, kind), seconds in sums.items())

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Book the duration of the `with` block."""
        start = perf_counter()
        try:
            yield
        finally:
            self.book(stage, perf_counter() - start)

    def seconds(self, kind: Kind) -> float:
        """Sum of the entries of one kind, seconds."""
        return sum(entry.seconds for entry in self.entries if entry.kind == kind)

    @property
    def total_seconds(self) -> float:
        """Sum of all entries, seconds."""
        return sum(entry.seconds for entry in self.entries)

    def close(self, elapsed_seconds: float) -> None:
        """Book the part of `elapsed_seconds`, the measured total, that no stage accounts for, as `other`."""
        self.book(Stage.OTHER, elapsed_seconds - self.seconds(Kind.MEASURED))
