"""Of each label a few embeddings, drawn by seed."""

import numpy as np

from lab.experiments.few_labels import few_of

LABELS = np.repeat([3, 1, 2], [50, 4, 20])


def test_so_many_of_each_label_are_chosen_and_all_where_there_are_fewer() -> None:
    chosen = few_of(LABELS, 10)
    labels, counts = np.unique(LABELS[chosen], return_counts=True)
    assert dict(zip(labels, counts, strict=True)) == {1: 4, 2: 10, 3: 10}
    assert len(np.unique(chosen)) == len(chosen)


def test_the_seed_decides_which() -> None:
    assert np.array_equal(few_of(LABELS, 10), few_of(LABELS, 10))
    assert not np.array_equal(few_of(LABELS, 10), few_of(LABELS, 10, seed=1))
