"""Schemes in rounds: when they stop, their rows, and that they know nothing that does not arrive."""

import math
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from lab.data.features import Features
from lab.evaluate.bounds import upper_bound_of
from lab.evaluate.data import TestSet
from lab.evaluate.leak_test import check_dead_channel
from lab.evaluate.run_point import measure
from lab.evaluate.scenario import Point, Scenario, SchemeSpec
from lab.evaluate.scheme import Arrival, Batch, CannotExist
from lab.evaluate.schemes import make_scheme
from lab.evaluate.scorer import Scorer
from shared.codecs.embedding.nested import Nested
from shared.errors import InvalidSetting


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    """300 queries and 600 items around the categories of the codec that ships, as CLIP would see pictures of them."""
    codec, rng = Nested.load(256, "cpu"), np.random.default_rng(0)
    prototypes = codec.model.prototypes.numpy()

    def around(count: int, name: str) -> Features:
        categories = np.arange(count) % len(prototypes)
        drawn = prototypes[categories] + rng.normal(size=(count, prototypes.shape[1])) * 0.01
        unit = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)
        labels = np.array([f"category {category:03d}" for category in categories])
        return Features(unit, labels, np.array([f"{name}/{row}" for row in range(count)]))

    pixels = np.zeros((300, 32, 32, 3), np.uint8)
    return Scorer(TestSet(around(300, "query"), around(600, "kb"), pixels, codec.clip_fingerprint))


def point(k: int, certainty: float | None = None, *, fading: str = "none", snr_db: float = 0.0) -> Point:
    """certainty: None for one burst."""
    harq = {} if certainty is None else {"harq": {"certainty": certainty}}
    scheme: dict[str, Any] = {"codec": "nested", "k": [k], "decision": "fusion", **harq}
    channel = {"csi": "pilot", "settings": {"fading": fading}}
    return Scenario(title="more", snr_db=[snr_db], scheme=[scheme], channel=[channel]).points()[0]


def sent(scorer: Scorer, at: Point) -> Arrival:
    members = scorer.blocks(0)[0]
    batch = Batch(scorer.test_set.queries.embeddings[members], scorer.test_set.pixels[members], members, at.snr_db)
    return make_scheme(at.scheme, at.k, scorer.test_set).send(batch, at.chain(seed=1))


def test_more_is_sent_of_pictures_below_the_certainty_and_of_no_other(scorer: Scorer) -> None:
    arrival = sent(scorer, point(64, 0.9))
    assert set(arrival.sent.payload.tolist()) <= {4, 8, 16, 32}
    assert len(set(arrival.sent.payload.tolist())) == 4
    rounds = arrival.sent.pilots / 8  # each has pilots of its own
    assert (arrival.sent.payload == 4 * 2 ** (rounds - 1)).all()
    certainty = np.exp(arrival.decoded.log_posterior.max(axis=1))
    for symbols, least in ((4, 0.9), (8, 0.8), (16, 0.6)):  # the next round is as long as all before it
        assert (certainty[arrival.sent.payload == symbols] >= least).all()


def test_a_budget_of_the_first_round_is_the_plain_burst(scorer: Scorer) -> None:
    """The same draws, so bit for bit."""
    more, plain = (sent(scorer, point(8, certainty, fading="rayleigh")) for certainty in (0.9, None))
    assert more.decoded.log_posterior.tobytes() == plain.decoded.log_posterior.tobytes()
    assert (more.found == plain.found).all()


@pytest.mark.parametrize("fading", ["none", "rayleigh"])
def test_a_row_tells_the_mean_bandwidth_and_beats_the_fixed_length(scorer: Scorer, fading: str) -> None:
    """The accuracy of k = 64, to 0.03, one standard error, with under three quarters of its symbols."""
    points = [point(64, certainty, fading=fading) for certainty in (0.99, None)]
    more, fixed = (measure(one, make_scheme(one.scheme, 64, scorer.test_set), scorer) for one in points)
    assert (more.scheme, fixed.scheme) == ("nested, HARQ 0.99 from k = 8", "nested")
    assert more.semantic_accuracy > fixed.semantic_accuracy - 0.03
    assert more.cbr < 0.75 * fixed.cbr
    bursts = (more.cbr_total - more.cbr) / (8 / (3 * 32 * 32))
    assert 1 < bursts < 4
    assert fixed.cbr == pytest.approx(32 / (3 * 32 * 32))
    assert fixed.cbr_total == pytest.approx((32 + 8) / (3 * 32 * 32))


def test_it_knows_nothing_over_a_dead_channel_and_has_no_length_of_its_own(scorer: Scorer) -> None:
    scheme = point(256, 0.5).scheme
    check_dead_channel(scheme.name, make_scheme(scheme, 256, scorer.test_set), scorer)
    for start, k in ((16, 8), (8, 48)):
        spec = SchemeSpec(codec="nested", harq={"certainty": 0.9, "start": start}, k=(k,), decision="fusion")
        with pytest.raises(CannotExist, match=f"never k = {k}"):
            make_scheme(spec, k, scorer.test_set)


def test_rounds_are_for_codecs_whose_code_can_be_cut_and_decide_by_category(scorer: Scorer) -> None:
    spec = SchemeSpec(codec="label", harq={"certainty": 0.9}, k=(64,), decision="fusion")
    with pytest.raises(InvalidSetting, match="harq with codec label"):
        make_scheme(spec, 64, scorer.test_set)
    with pytest.raises(ValidationError, match="choose 'fusion'"):
        SchemeSpec(codec="nested", harq={"certainty": 0.9}, k=(64,))


def test_the_upper_bound_of_one_gain_does_not_hold_for_rounds_that_fade_each_by_itself() -> None:
    assert math.isnan(upper_bound_of(point(64, 0.9, fading="rayleigh"), 0.7, 100))
    assert upper_bound_of(point(64, 0.9), 0.7, 100) == upper_bound_of(point(64), 0.7, 100)
