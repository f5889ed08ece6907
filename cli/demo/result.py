"""Results of the demo, and their JSON."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import Any

import numpy as np

from cli.demo.setups import Setup
from shared.datasets import Picture
from shared.frame.delivery import Delivery, TransmitterInfo
from shared.ledger import Kind, place_of
from shared.strict_json import finite
from shared.units import ratio_to_db

PERCENTILES = (50, 95, 99)
SHOWN = 10  # pictures in the figure


@dataclass(frozen=True)
class Row:
    """One setup's deliveries, one for each picture and in their order."""

    setup: Setup
    deliveries: tuple[Delivery, ...]
    truth: tuple[str, ...]
    clean: tuple[str, ...]

    @cached_property
    def right(self) -> tuple[bool, ...]:
        """Whether each retrieved label is the sent picture's own."""
        return tuple(delivery.label == label for delivery, label in zip(self.deliveries, self.truth, strict=True))

    @property
    def semantic_accuracy(self) -> float:
        """Share of pictures whose retrieved label is right."""
        return fmean(self.right)

    @property
    def semantic_agreement(self) -> float:
        """Share of pictures with the same label as from the clean embedding."""
        return fmean(delivery.label == label for delivery, label in zip(self.deliveries, self.clean, strict=True))

    @property
    def snr_db_achieved(self) -> float:
        """10 log10(mean signal power / mean noise power) over the row; infinite without noise."""
        signal = math.fsum(delivery.channel.signal_power for delivery in self.deliveries)
        noise = math.fsum(delivery.channel.noise_power for delivery in self.deliveries)
        return ratio_to_db(signal / noise) if noise else math.inf

    @cached_property
    def means(self) -> dict[str, float]:
        """Means over the pictures: bursts; complex symbols of the payload that arrived; channel uses / (3 H W) of the
        payload, and with pilots and header.
        """
        return {
            "rounds": fmean(max(1, len(delivery.rounds)) for delivery in self.deliveries),
            "symbols": fmean(delivery.k / 2 for delivery in self.deliveries),
            "cbr": fmean(delivery.cbr for delivery in self.deliveries),
            "cbr_total": fmean(delivery.cbr_total for delivery in self.deliveries),
        }

    @cached_property
    def latency_ms(self) -> dict[str, float]:
        """Percentiles of total_seconds."""
        times = [delivery.total_seconds * 1e3 for delivery in self.deliveries]
        return {f"p{p}": float(np.percentile(times, p)) for p in PERCENTILES}

    @cached_property
    def ledger_ms(self) -> dict[str, float]:
        """Median of each stage, in the order of the ledger."""
        return {stage: float(np.median([d.seconds(stage) for d in self.deliveries])) * 1e3 for stage in self.stages}

    @cached_property
    def stages(self) -> dict[str, Kind]:
        """The ledger's stages in their order, measured or emulated."""
        return {entry.stage: entry.kind for delivery in self.deliveries for entry in delivery.ledger}

    def to_json(self) -> dict[str, Any]:
        """A strict JSON object: an infinite SNR (no noise) is null."""
        first = self.deliveries[0]
        return {
            "scenario": self.setup.name,
            "snr_db": finite(self.setup.snr_db),
            "fading": self.setup.fading,
            "codec": first.codec,
            "k": 2 * self.means["symbols"] if first.rounds else first.k,
            "csi": first.csi,
            "pilot_symbols": first.pilot_symbols,
            "genies": list(first.genies),
            **{name: self.means[name] for name in ("cbr", "cbr_total", "rounds")},
            "semantic_accuracy": self.semantic_accuracy,
            "semantic_agreement": self.semantic_agreement,
            "accepted": fmean(delivery.accepted for delivery in self.deliveries),
            "snr_db_achieved": finite(self.snr_db_achieved),
            "latency_ms": self.latency_ms,
            "ledger_ms": self.ledger_ms,
            "seed": first.channel.seed,
            "stream": first.channel.stream,
        }


@dataclass(frozen=True)
class DemoResult:
    """All results of the demo. rows: the clean reference first. thumbnails: of retrieved items, WebP, by id."""

    transmitter: TransmitterInfo
    pictures: tuple[Picture, ...]
    rows: tuple[Row, ...]
    thumbnails: dict[str, bytes]
    concurrency: int
    seconds: float

    @property
    def sent(self) -> str:
        """How the pictures were sent, for people."""
        first = self.rows[1].deliveries[0]
        if not first.rounds:
            return f"codec {first.codec} k = {first.k}"
        return f"codec {first.codec} in rounds from k = {first.rounds[0].k}"

    def to_json(self) -> dict[str, Any]:
        """The content of demo.json."""
        return {
            "images": len(self.pictures),
            "clip": self.transmitter.clip,
            "engine": self.transmitter.engine,
            "precision": self.transmitter.precision,
            "knowledge_base": self.rows[0].deliveries[0].knowledge_base,
            "concurrency": self.concurrency,
            "latency": "total_seconds of each delivery: round trip measured by the client, plus emulated stages",
            "seconds": self.seconds,
            "rows": [row.to_json() for row in self.rows],
        }


def stages_of(rows: Iterable[Row]) -> dict[str, Kind]:
    """The stages of all rows, which may differ from row to row, in the order of the ledger."""
    kinds = {stage: kind for row in rows for stage, kind in row.stages.items()}
    return {stage: kinds[stage] for stage in sorted(kinds, key=place_of)}


def shown_rows(rows: Sequence[Row]) -> list[Row]:
    """The best and the worst AWGN row: the same pictures through a good and a bad channel."""
    awgn = sorted((row for row in rows[1:] if row.setup.fading == "none"), key=lambda row: row.setup.snr_db)
    return awgn if len(awgn) == 1 else [awgn[-1], awgn[0]]


def shown_positions(count: int) -> list[int]:
    """Positions spread evenly over all pictures, an unbiased choice; of 200 they show all ten shapes and colours."""
    return [int(position) for position in np.linspace(0, count - 1, min(SHOWN, count))]


def shown_items(rows: Sequence[Row]) -> set[str]:
    """Items of the knowledge base that the figure shows."""
    positions = shown_positions(len(rows[0].deliveries))
    return {row.deliveries[position].item_id for row in shown_rows(rows) for position in positions}
