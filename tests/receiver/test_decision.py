"""The vote, its features, and the confidence computed from them."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from receiver.confidence import CONFIDENCE_FILE, Confidence, Confidences, load_confidence
from receiver.decision import TEMPERATURE, VOTERS, answer_first, confidence_features, decide, vote
from shared.errors import DataLoss

CLEAN = np.zeros(1)


def neighbours(*pairs: tuple[int, float]) -> tuple[np.ndarray, np.ndarray]:
    """Labels and squared distances of items with these labels and cosines."""
    labels, cosines = zip(*pairs, strict=True)
    return np.array([labels], np.int64), 2 - 2 * np.array([cosines], np.float32)


def test_several_near_items_outvote_one_that_is_a_little_nearer() -> None:
    ballot = vote(*neighbours((7, 0.90), (3, 0.89), (3, 0.88), (5, 0.5)), CLEAN)
    assert ballot.winner.tolist() == [1]
    assert ballot.agreement == pytest.approx([0.5])
    assert ballot.cosine == pytest.approx([0.89])
    assert ballot.margin == pytest.approx([-0.01], abs=1e-6)


def test_an_item_that_is_much_nearer_outvotes_many() -> None:
    ballot = vote(*neighbours((7, 0.99), *[(3, 0.5)] * 12), CLEAN)
    assert ballot.winner.tolist() == [0]
    assert ballot.share[0] > 0.97


def test_the_share_is_the_softmax_of_cosines() -> None:
    labels, squared = neighbours((1, 0.8), (2, 0.75), (1, 0.7))
    weights = np.exp(np.array([0.8, 0.75, 0.7]) / TEMPERATURE)
    assert vote(labels, squared, CLEAN).share == pytest.approx([(weights[0] + weights[2]) / weights.sum()], rel=1e-5)


def test_noise_makes_a_small_difference_count_less() -> None:
    labels, squared = neighbours((1, 0.8), (2, 0.7))
    shares = [vote(labels, squared, np.array([n0])).share[0] for n0 in (0, 1, 100, np.inf)]
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] == pytest.approx(0.5, abs=0.01)
    assert vote(labels, squared, np.array([np.nan])).share[0] == shares[0], "unknown noise counts as none"


def test_only_the_nearest_vote() -> None:
    labels, squared = neighbours(*[(1, 0.8)] * 3, *[(2, 0.5)] * (VOTERS - 3), *[(2, 0.5)] * 100)
    assert vote(labels, squared, CLEAN).agreement == pytest.approx([3 / VOTERS])


def test_a_unanimous_vote_and_a_single_neighbour() -> None:
    ballot = vote(*neighbours((4, 0.9), (4, 0.6)), CLEAN)
    assert (ballot.share[0], ballot.agreement[0]) == (1, 1)
    assert ballot.margin == pytest.approx([0.3], abs=1e-6), "above the farthest voter where all agree"
    assert vote(*neighbours((4, 0.9)), CLEAN).margin.tolist() == [0]


def test_the_answer_comes_first_and_the_others_by_distance() -> None:
    labels, squared = neighbours((7, 0.90), (3, 0.89), (3, 0.88), (5, 0.5))
    positions = np.array([[10, 11, 12, 13]])
    ballot = vote(labels, squared, CLEAN)
    first, near = answer_first(ballot, positions, squared, 3)
    assert first.tolist() == [[11, 10, 12]]
    assert near[0].tolist() == squared[0, [1, 0, 2]].tolist()
    assert answer_first(ballot, positions, squared, 1)[0].tolist() == [[11]]


def test_features_tell_noise_of_long_bursts_from_that_of_short_ones() -> None:
    ballot = vote(*neighbours((1, 0.8), (2, 0.7)), CLEAN)
    cases = ((1, 32), (4, 128), (1, 8), (0, 8))
    noise = [confidence_features(ballot, np.array([n0]), np.array([n]))[0, -1] for n0, n in cases]
    assert noise == pytest.approx([np.log10(2), np.log10(2), np.log10(5), 0])
    assert np.isnan(confidence_features(ballot, np.array([np.nan]), np.array([8]))[0, -1])
    assert np.isfinite(confidence_features(ballot, np.array([np.inf]), np.array([8]))).all()


def model() -> Confidence:
    return Confidence((1.0, 0, 0, 0, -2.0), 0.5, (1.0, 0, 0, 0), -0.5, "a test", 100)


def test_a_confidence_is_a_logistic_of_the_features() -> None:
    rows = np.array([[0.5, 9, 9, 9, 1.0], [0.5, 9, 9, 9, np.nan]])
    assert model().of(rows) == pytest.approx([1 / (1 + np.exp(1.0)), 0.5])


def test_a_kept_confidence_is_used_and_a_damaged_one_is_named(tmp_path: Path) -> None:
    shipped = load_confidence(tmp_path)
    assert min(model.samples for model in shipped) > 1000
    kept = Confidences(vote=model(), fusion=replace(model(), bias=0.25))
    kept.write(tmp_path / CONFIDENCE_FILE)
    assert load_confidence(tmp_path) == kept
    short = kept._replace(fusion=replace(model(), weights=(1, 2)))
    for text in ("", "{}", json.dumps({name: asdict(each) for name, each in short._asdict().items()})):
        (tmp_path / CONFIDENCE_FILE).write_text(text, encoding="utf-8")
        with pytest.raises(DataLoss, match="semlink kb calibrate"):
            load_confidence(tmp_path)


@pytest.mark.parametrize("rule", Confidences._fields)
def test_the_shipped_confidence_tells_good_features_from_bad(rule: str) -> None:
    """More of the vote, a nearer item, more margin and less noise are each no worse; sure and unsure are told apart."""
    shipped = getattr(load_confidence(Path("/nowhere")), rule)
    assert shipped.of(np.array([[3.9, 0.95, 0.4, 1, 0.0]]))[0] > 0.9
    assert shipped.of(np.array([[-1.5, 0.4, 0.01, 0.1, 1.0]]))[0] < 0.2
    weights = np.array(shipped.weights)
    assert (weights[:3] > 0).all()
    assert weights[4] < 0


def test_the_threshold_rejects_with_a_reason() -> None:
    assert decide(0.5, 0.5).accepted
    rejected = decide(0.31, 0.5)
    assert not rejected.accepted
    assert rejected.reason == "confidence 0.31 is below 0.50"
