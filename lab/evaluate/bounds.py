"""What rows are held against: the best classifier of the same embeddings, and the upper bound that follows from it."""

import hashlib
import json
import math
from pathlib import Path

import numpy as np

from lab.data.features import ClipChoice, cached_features, check_apart, load_choice, training_source
from lab.evaluate.classifier import best_accuracy
from lab.evaluate.data import TestSet
from lab.evaluate.scenario import Point
from lab.evaluate.upper_bound import upper_bound
from shared.types import Progress

KNOWN_FADINGS = ("none", "rayleigh")


def classifier_accuracy(
    spec: str, choice: ClipChoice, test_set: TestSet, folder: Path, progress: Progress | None = None
) -> float:
    """Accuracy on the queries of the best classifier that learns from the source's `train` part; kept in the folder.

    Raises Mismatch when the train part holds pictures of the test set.
    """
    train = cached_features(training_source(spec), load_choice(choice), folder, progress)
    digest = hashlib.sha256(test_set.fingerprint.encode() + train.embeddings.tobytes()).hexdigest()[:16]
    path = folder / f"classifier-{digest}.json"
    if not path.exists():
        check_apart(test_set.queries, train)
        check_apart(test_set.items, train)
        labels = np.searchsorted(test_set.names, train.labels)
        found = best_accuracy((train.embeddings, labels), (test_set.queries.embeddings, test_set.query_labels))
        path.write_text(json.dumps(found), encoding="utf-8")
    return float(json.loads(path.read_text(encoding="utf-8")))


def upper_bound_of(point: Point, accuracy: float, classes: int) -> float:
    """A (1 - Pe) of a point; NaN for a fading whose upper bound is not known, or where A is not.

    The bound is for one gain, and HARQ rounds fade independently: for them it holds without fading only.
    """
    fading = point.channel.fading
    if fading not in KNOWN_FADINGS or (fading != "none" and point.scheme.harq is not None):
        return math.nan
    return upper_bound(accuracy, classes, point.k, point.snr_db, point.channel.fading)
