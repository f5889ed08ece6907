"""Probability that an answer is right: a logistic model, calibrated by `semlink kb calibrate`.

    p = 1 / (1 + exp(-(w . features + b)))

There is one model for answers of a vote and one for those of a fusion (`receiver.label_posterior`). Each has two sets
of weights: for bursts of known noise, and for bursts without pilots. A calibrated knowledge base has its own models in
its directory; the others use the shipped ones, fitted on CIFAR-100 and the drawn set.
"""

import json
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from shared.errors import DataLoss
from shared.files import replacing
from shared.types import Doubles

CONFIDENCE_FILE = "confidence.json"
FEATURES = ("share_log_odds", "cosine", "margin", "agreement", "noise")


@dataclass(frozen=True)
class Confidence:
    """A calibrated model.

    weights: one for each of `FEATURES`. blind_weights: without the last, for unknown noise.
    source: what it was fitted on. samples: how many answers.
    """

    weights: tuple[float, ...]
    bias: float
    blind_weights: tuple[float, ...]
    blind_bias: float
    source: str
    samples: int

    def of(self, features: Doubles) -> Doubles:
        """Probability that each answer has the right label: features [B, 5] -> [B]."""
        blind = np.isnan(features[:, -1])
        known = np.nan_to_num(features) @ np.array(self.weights) + self.bias
        unknown = features[:, :-1] @ np.array(self.blind_weights) + self.blind_bias
        probability: Doubles = 1 / (1 + np.exp(-np.where(blind, unknown, known)))
        return probability


class Confidences(NamedTuple):
    """A model for each way to answer."""

    vote: Confidence
    fusion: Confidence

    def write(self, path: Path) -> None:
        """Write them as JSON; a crash leaves the old file or the new one."""
        with replacing(path) as temporary:
            text = json.dumps({name: asdict(model) for name, model in self._asdict().items()}, indent=2)
            temporary.write_text(text + "\n", encoding="utf-8")


def shipped_confidence() -> Confidences:
    """The models that ship."""
    return _parse(files("receiver").joinpath(CONFIDENCE_FILE).read_text(encoding="utf-8"))


def load_confidence(directory: Path) -> Confidences:
    """The models of a knowledge base, or those that ship where it has none. Raises DataLoss for a damaged file."""
    path = directory / CONFIDENCE_FILE
    try:
        return _parse(path.read_text(encoding="utf-8")) if path.exists() else shipped_confidence()
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise DataLoss(
            f"{path} holds no calibration ({error}); delete it, or make it again: `semlink kb calibrate {directory}`"
        ) from error


def _parse(text: str) -> Confidences:
    found = json.loads(text)
    return Confidences(*(_model(found[name]) for name in Confidences._fields))


def _model(found: dict[str, Any]) -> Confidence:
    model = Confidence(
        weights=tuple(map(float, found["weights"])),
        bias=float(found["bias"]),
        blind_weights=tuple(map(float, found["blind_weights"])),
        blind_bias=float(found["blind_bias"]),
        source=str(found["source"]),
        samples=int(found["samples"]),
    )
    if (len(model.weights), len(model.blind_weights)) != (len(FEATURES), len(FEATURES) - 1):
        raise ValueError(f"{len(model.weights)} and {len(model.blind_weights)} weights")
    return model
