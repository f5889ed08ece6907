"""Ranking items by category and embedding, on a small world where the answer is known."""

from collections.abc import Callable

import numpy as np
import pytest

from shared.codecs.base.contract import Decoded, LogProbabilities
from shared.codecs.embedding.posterior import LabelPosterior
from shared.types import Embeddings, Ints

CATEGORIES = 3
CENTRES = np.eye(6, dtype=np.float32)[:3]


Categories = Callable[[Embeddings], LogProbabilities]


def posterior(categories: Categories, items: Embeddings, labels: Ints) -> LabelPosterior:
    """That of a codec with these categories."""
    return LabelPosterior(categories(items), items, labels)


def sure(embeddings: Embeddings) -> LogProbabilities:
    """The nearest of three directions."""
    scores = 12 * embeddings[:, :CATEGORIES]
    return (scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))).astype(np.float32)


def world(per_label: int = 20, noise: float = 0.15) -> tuple[Embeddings, np.ndarray]:
    """Items around three directions; label 0 around direction 2, 1 around 0, 2 around 1."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), per_label)
    items = CENTRES[(labels + 2) % 3] + noise * rng.standard_normal((len(labels), 6))
    return (items / np.linalg.norm(items, axis=1, keepdims=True)).astype(np.float32), labels


def heard(category: int, e_hat: np.ndarray, sure: float = 20.0) -> Decoded:
    scores = sure * np.eye(CATEGORIES)[category]
    return Decoded(e_hat[None].astype(np.float32), (scores - np.log(np.exp(scores).sum()))[None].astype(np.float32))


@pytest.fixture(scope="module")
def fusion() -> LabelPosterior:
    return posterior(sure, *world())


def test_labels_need_not_be_numbered_as_the_categories_are(fusion: LabelPosterior) -> None:
    for category, label in ((2, 0), (0, 1), (1, 2)):
        assert fusion.log_labels(heard(category, np.zeros(6))).argmax() == label
    np.testing.assert_allclose(np.exp(fusion.log_prior).sum(), 1, rtol=1e-5)


def test_within_the_label_the_nearest_item_wins(fusion: LabelPosterior) -> None:
    items, labels = world()
    for position in (3, 25, 47):
        found, _ = fusion.rank(heard((labels[position] + 2) % 3, items[position]), 5)
        assert found[0, 0] == position
        assert (labels[found[0]] == labels[position]).all()


def test_a_category_that_is_heard_well_outweighs_an_embedding_at_the_border(fusion: LabelPosterior) -> None:
    _, labels = world()
    between = (CENTRES[0] + 1.05 * CENTRES[1]) / 2
    assert labels[fusion.rank(heard(0, between), 1)[0][0, 0]] == 1
    assert labels[fusion.rank(heard(1, between), 1)[0][0, 0]] == 2


def test_without_evidence_the_embedding_decides() -> None:
    items, labels = world()
    fusion = posterior(sure, items, labels)
    blind = Decoded(items[[30]], fusion.log_prior[None])
    found, scores = fusion.rank(blind, 60)
    assert found[0, 0] == 30
    assert (np.diff(scores[0]) <= 0).all()
    assert sorted(found[0]) == list(range(60))


def test_labels_weigh_the_same_however_many_items_they_have() -> None:
    items, labels = world()
    few = np.concatenate([np.arange(0, 40), np.arange(40, 42)])
    fusion = posterior(sure, items[few], labels[few])
    heard_nothing = np.exp(fusion.log_labels(Decoded(items[:1], fusion.log_prior[None])))
    np.testing.assert_allclose(heard_nothing, 0.9 / 3, atol=1e-5, err_msg="0.1 is left for none of them")


def test_a_category_that_no_label_has_belongs_to_none_of_them() -> None:
    """Label 2 stood for category 1; without it, what is heard of category 1 makes no label likely."""
    items, labels = world()
    known = labels != 2
    fusion = posterior(sure, items[known], labels[known])
    assert np.exp(fusion.log_labels(heard(0, np.zeros(6)))).max() > 0.95
    assert np.exp(fusion.log_labels(heard(1, np.zeros(6)))).sum() < 0.2


def test_a_label_without_items_is_never_the_answer() -> None:
    items, labels = world()
    fusion = posterior(sure, items, labels * 2)
    log_labels = fusion.log_labels(heard(0, np.zeros(6)))[0]
    assert log_labels.argmax() == 2
    assert np.isneginf(log_labels[[1, 3]]).all()


def scattered(embeddings: Embeddings) -> LogProbabilities:
    """Forty categories, each item in one of them by its last digits: sure of itself, and no guide to labels."""
    chosen = (np.abs(embeddings[:, 5]) * 1e4).astype(np.int64) % 40
    return np.log(np.eye(40)[chosen] * (1 - 40e-6) + 1e-6).astype(np.float32)


def test_categories_are_trusted_as_far_as_they_predict_labels(fusion: LabelPosterior) -> None:
    assert fusion.trust == 1
    items, labels = world(per_label=60, noise=0.4)
    assert posterior(sure, items, labels).trust == 1
    assert posterior(scattered, items, labels).trust < 0.3
    assert posterior(sure, items, np.arange(len(items))).trust == 0, "every item is a label of its own"
    assert posterior(sure, items, np.zeros(len(items), np.int64)).trust == 1
