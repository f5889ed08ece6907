"""The ledger: where the time of one delivery went.

Durations only, each measured on the monotonic clock of one host; never a difference between clocks of two hosts.
Stages in the order in which a delivery meets them:

    access -> preprocess -> queue -> encode -> compress -> wire -> channel -> air_queue -> airtime -> propagation
           -> delay -> receive_queue -> equalize -> decode -> embed -> search -> other

Airtime and propagation are emulated unless the channel is told to wait for them.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from time import perf_counter
from typing import NamedTuple


class Kind(StrEnum):
    """Whether a duration was waited for or computed."""

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
    AIR_QUEUE = "air_queue"  # wait until the air is free; where airtime is real
    AIRTIME = "airtime"  # symbols / symbol rate
    PROPAGATION = "propagation"  # there; the answer's way back is not emulated
    DELAY = "delay"  # held back by a fault: delay, jitter, reordering, a stall
    RECEIVE_QUEUE = "receive_queue"  # wait for a place in a decoder batch
    EQUALIZE = "equalize"
    DECODE = "decode"
    EMBED = "embed"  # CLIP in the receiver, of a picture that arrived
    SEARCH = "search"
    OTHER = "other"  # what is left


AIR = frozenset({Stage.CHANNEL, Stage.AIR_QUEUE, Stage.AIRTIME, Stage.PROPAGATION, Stage.DELAY})
"""Stages that the channel books."""


_PLACES = {stage.value: place for place, stage in enumerate(Stage)}


def place_of(stage: str) -> int:
    """Where a stage stands on the way; one that this version does not know stands last."""
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
        """Add entries that another host booked."""
        self.entries.extend(entries)

    def merged(self) -> tuple[Entry, ...]:
        """The entries, those of one stage and kind added up, in the order of their first booking."""
        sums: dict[tuple[str, Kind], float] = {}
        for stage, seconds, kind in self.entries:
            sums[stage, kind] = sums.get((stage, kind), 0.0) + seconds
        return tuple(Entry(stage, seconds, kind) for (stage, kind), seconds in sums.items())

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Book the time that the body takes."""
        start = perf_counter()
        try:
            yield
        finally:
            self.book(stage, perf_counter() - start)

    def seconds(self, kind: Kind) -> float:
        """Sum of one kind of entries, in seconds."""
        return sum(entry.seconds for entry in self.entries if entry.kind == kind)

    @property
    def total_seconds(self) -> float:
        """Sum of all entries, in seconds."""
        return sum(entry.seconds for entry in self.entries)

    def close(self, elapsed_seconds: float) -> None:
        """Book what of `elapsed_seconds`, the measured whole, no stage accounts for."""
        self.book(Stage.OTHER, elapsed_seconds - self.seconds(Kind.MEASURED))
