"""From the nearest items to an answer: which item, with what confidence, accepted or not.

    the 20 nearest --vote--> the label that wins and its nearest item --features--> confidence --> accepted?

The vote is right more often than the nearest item alone; `semlink kb report` measures both. Of codecs with categories
`receiver.label_posterior` chooses instead, and gives the same kind of ballot.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from shared.codecs.base.picture import FURTHER_LOST
from shared.types import Doubles, Floats, Ints

VOTERS: Final = 20
TEMPERATURE: Final = 0.07

_NOISIEST: Final = 1e4  # larger N0 is clipped: -40 dB
_FULL_SHARE: Final = 0.02  # keeps the logarithm of a unanimous vote finite
_REFERENCE_SYMBOLS: Final = 32  # a burst of k = 64


@dataclass(frozen=True, slots=True)
class Ballot:
    """The outcome of one vote, or fusion, for each query: [B] each.

    winner: which neighbour is the answer: of a vote the nearest one with the label that won
    share: of the weights, for that label; of a fusion its probability. agreement: of the voters, for that label
    cosine: of the answer. margin: what it is above that of the nearest voter with another label
    """

    winner: Ints
    share: Doubles
    agreement: Doubles
    cosine: Doubles
    margin: Doubles


@dataclass(frozen=True, slots=True)
class Decision:
    """How sure the receiver is of its answer. confidence: 0 to 1. reason: why it was not accepted."""

    confidence: float
    accepted: bool
    reason: str


def cosines_of(squared: Floats) -> Floats:
    """Cosine similarity of unit vectors of a squared distance: |a - b|^2 = 2 - 2 cos. float32, -1 to 1."""
    cosines: Floats = np.clip(1 - squared / 2, -1, 1)
    return cosines


def vote(labels: Ints, squared: Floats, n0: Doubles) -> Ballot:
    """Let the `VOTERS` nearest items elect a label.

    labels: [B, n], label of each item, nearest first. squared: [B, n], squared distance of each item to the received
    embedding, both of unit length. n0: [B], noise power per symbol after the equalizer, NaN where it is not known
    Each item votes with weight exp(cosine / T), T = 0.07 sqrt(1 + N0): with more noise a small difference of distances
    weighs less.
    """
    labels, near = labels[:, :VOTERS], cosines_of(squared[:, :VOTERS]).astype(np.float64)
    temperature = TEMPERATURE * np.sqrt(1 + np.where(n0 > 0, np.minimum(n0, _NOISIEST), 0))
    weights = np.exp((near - near[:, :1]) / temperature[:, None])
    weights /= weights.sum(axis=1, keepdims=True)
    votes = np.einsum("bij,bj->bi", labels[:, :, None] == labels[:, None, :], weights)
    winner = votes.argmax(axis=1)
    return ballot_of(winner, votes[np.arange(len(labels)), winner], labels, near)


def ballot_of(winner: Ints, share: Doubles, labels: Ints, cosines: Doubles) -> Ballot:
    """The ballot of a winner [B] among neighbours [B, n], nearest first. share: [B], probability of its label."""
    rows = np.arange(len(labels))
    others = labels != labels[rows, winner][:, None]
    best_other = np.where(others, cosines, -1).max(axis=1)
    return Ballot(
        winner=winner,
        share=share,
        agreement=1 - others[:, :VOTERS].mean(axis=1),
        cosine=cosines[rows, winner],
        margin=cosines[rows, winner] - np.where(others.any(axis=1), best_other, cosines[:, -1]),
    )


def confidence_features(ballot: Ballot, n0: Doubles, symbols: Ints) -> Doubles:
    """The features of the confidence model: [B, 5], columns as `receiver.confidence.FEATURES`.

    n0: [B], see `vote`. symbols: [B], complex symbols of each payload.
    Columns: log-odds of the share, cosine, margin, agreement, and the noise against the energy of the whole burst,
    log10(1 + 32 N0 / symbols); NaN where it is not known.
    """
    share, noise = ballot.share, np.minimum(n0, _NOISIEST) * _REFERENCE_SYMBOLS / symbols
    log_odds = np.log((share + _FULL_SHARE) / (1 - share + _FULL_SHARE))
    return np.column_stack([log_odds, ballot.cosine, ballot.margin, ballot.agreement, np.log10(1 + noise)])


def answer_first(ballot: Ballot, positions: Ints, squared: Floats, most: int) -> tuple[Ints, Floats]:
    """At most `most` neighbours of each query, the answer first, the others nearest first: [B, n] each."""
    place = np.tile(np.arange(positions.shape[1]), (len(positions), 1))
    place[np.arange(len(positions)), ballot.winner] = -1
    order = np.argsort(place, axis=1, kind="stable")[:, :most]
    return np.take_along_axis(positions, order, axis=1), np.take_along_axis(squared, order, axis=1)


def decide(confidence: float, threshold: float, missing: str = "", lost: str = "") -> Decision:
    """Accept an answer whose confidence reaches the threshold.

    missing: why no picture arrived; empty if one did. lost: what else did not arrive
    """
    if missing:
        said = missing if missing == FURTHER_LOST else f"{missing}: a grey one was looked up"
        return Decision(0.0, False, "; ".join(filter(None, (said, lost))))
    if lost:
        return Decision(confidence, False, lost)
    if confidence >= threshold:
        return Decision(confidence, accepted=True, reason="")
    return Decision(confidence, False, f"confidence {confidence:.2f} is below {threshold:.2f}")
