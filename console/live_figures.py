"""What a live stream of pictures has shown so far: rolling figures, and all of it as CSV. No browser is needed."""

import csv
import io
from collections import deque
from dataclasses import asdict, dataclass, field, fields
from typing import Final

import numpy as np

from client import Delivery, SemLinkError
from shared.intervals import wilson

WINDOW: Final = 50
"""Pictures that rolling figures are of."""
KEPT: Final = 10_000
_DRAWN: Final = 300


@dataclass(frozen=True)
class Sample:
    """One picture. seconds: since the start, when its answer came. latency_seconds: emulated stages included.

    error: why there is no answer; then the numbers of the answer are None.
    """

    seconds: float
    label: str
    received: str = ""
    confidence: float | None = None
    accepted: bool | None = None
    snr_db_asked: float | None = None
    snr_db_achieved: float | None = None
    latency_seconds: float | None = None
    rounds: int | None = None
    burst: str = ""
    error: str = ""

    @property
    def right(self) -> bool:
        """Whether the label arrived; a picture without an answer is wrong."""
        return not self.error and self.received == self.label


def sample_of(seconds: float, label: str, outcome: Delivery | SemLinkError) -> Sample:
    """What became of one picture."""
    if isinstance(outcome, SemLinkError):
        return Sample(seconds, label, error=str(outcome))
    return Sample(
        seconds,
        label,
        outcome.label,
        outcome.confidence,
        outcome.accepted,
        outcome.channel.snr_db_asked,
        outcome.channel.snr_db_achieved,
        outcome.total_seconds,
        len(outcome.rounds) or 1,
        outcome.burst_id,
    )


@dataclass
class LiveFigures:
    """The last 10,000 samples, and curves of rolling figures: points [seconds, value] by name."""

    samples: deque[Sample] = field(default_factory=lambda: deque(maxlen=KEPT))
    curves: dict[str, deque[list[float]]] = field(default_factory=dict)

    def add(self, sample: Sample) -> None:
        """Take a sample into the window, and a point into every curve."""
        self.samples.append(sample)
        window = self._window()
        if known := [one for one in window if one.label]:
            share = sum(one.right for one in known) / len(known)
            low, high = wilson(share, len(known))
            self._point(sample.seconds, {"lower": float(low), "upper": float(high), "accuracy": share})
        answered = [one for one in window if one.latency_seconds is not None]
        if answered:
            milliseconds = [1e3 * one.latency_seconds for one in answered if one.latency_seconds is not None]
            p50, p95 = np.percentile(milliseconds, [50, 95])
            self._point(sample.seconds, {"p50": float(p50), "p95": float(p95), "confidence": _mean(answered)})
        for name, value in (("asked", sample.snr_db_asked), ("achieved", sample.snr_db_achieved)):
            if value is not None and np.isfinite(value):
                self._point(sample.seconds, {name: value})

    def _window(self) -> list[Sample]:
        return [self.samples[place] for place in range(-min(WINDOW, len(self.samples)), 0)]

    def _point(self, seconds: float, values: dict[str, float]) -> None:
        for name, value in values.items():
            curve = self.curves.setdefault(name, deque(maxlen=_DRAWN))
            curve.append([round(seconds, 2), round(value, 4)])

    @property
    def summary(self) -> str:
        """The rolling figures in one line."""
        if not self.samples:
            return "nothing sent yet"
        window = self._window()
        lasted = window[-1].seconds - window[0].seconds
        rate = (len(window) - 1) / lasted if lasted > 0 else 0.0
        lost, rounds = sum(bool(one.error) for one in window), [one.rounds for one in window if one.rounds]
        known = [one for one in window if one.label]
        right = sum(one.right for one in known)
        words = [
            f"{len(self.samples)} pictures",
            f"of the last {len(window)}: {right} right" if known else f"the last: {window[-1].received or 'no answer'}",
            f"{lost} without an answer",
            f"{np.mean(rounds):.2f} rounds" if rounds else "",
            f"{rate:.1f} a second",
        ]
        return " · ".join(word for word in words if word)

    def csv(self) -> str:
        """All samples, with a header; what is not known is empty."""
        text = io.StringIO()
        writer = csv.DictWriter(text, [each.name for each in fields(Sample)])
        writer.writeheader()
        writer.writerows(asdict(sample) for sample in self.samples)
        return text.getvalue()


def _mean(samples: list[Sample]) -> float:
    return float(np.mean([one.confidence for one in samples if one.confidence is not None]))
