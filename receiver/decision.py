"""From the nearest items to an answer: which item, how sure, accepted or not."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

VOTERS: Final = 10
TEMPERATURE: Final = 0.05


@dataclass(frozen=True, slots=True)
class Decision:
    """How sure the receiver is of the nearest item's label. confidence: 0 to 1. reason: why it was not accepted."""

    confidence: float
    accepted: bool
    reason: str


def vote(labels: npt.NDArray[np.int64], cosines: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """The share of the vote of the `VOTERS` nearest items that goes to the nearest one's label.

    labels: [B, n], label of each item, nearest first. cosines: [B, n], cosine similarity to the received embedding.
    Each item votes with weight exp(cosine / 0.05). Returns [B], 0 to 1.
    """
    labels, cosines = labels[:, :VOTERS], cosines[:, :VOTERS].astype(np.float64)
    weights = np.exp((cosines - cosines[:, :1]) / TEMPERATURE)
    agreeing = np.where(labels == labels[:, :1], weights, 0)
    shares: npt.NDArray[np.float64] = agreeing.sum(axis=1) / weights.sum(axis=1)
    return shares


def decide(confidence: float, threshold: float) -> Decision:
    """Accept an answer whose confidence reaches the threshold."""
    if confidence >= threshold:
        return Decision(confidence, accepted=True, reason="")
    return Decision(confidence, False, f"confidence {confidence:.2f} is below {threshold:.2f}")
