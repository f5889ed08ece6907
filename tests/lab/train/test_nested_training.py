"""Training of nested and label, on clusters that take seconds."""

from pathlib import Path

import numpy as np
import pytest
import torch
from rich.progress import Progress

from lab.data.codec_data import CodecData, LabelledEmbeddings, split_train
from lab.simulate.measure_nested import Measure
from lab.train.label.train import LabelTraining, train_words
from lab.train.nested.code import CodeTrainer, Material
from lab.train.nested.source import find_clusters, fit_source
from lab.train.nested.train import NestedTraining, fit_model
from shared.codecs.embedding.nested import Nested
from shared.codecs.embedding.nested_model import SEGMENTS, NestedModel
from shared.errors import InvalidSetting

CLASSES, DIM = 10, 40  # no embedding of 512: any width will do


def clusters(count: int, seed: int) -> LabelledEmbeddings:
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % CLASSES
    centres = np.random.default_rng(7).standard_normal((CLASSES, DIM))
    points = centres[labels] + 0.5 * rng.standard_normal((count, DIM)) * np.linspace(2, 0.05, DIM)
    return LabelledEmbeddings((points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32), labels)


@pytest.fixture(scope="module")
def data() -> CodecData:
    return split_train(clusters(3000, 0), 0, {"clusters": (clusters(300, 1), clusters(300, 2))})


def settings(folder: Path, **changes: int) -> NestedTraining:
    quick = {"axes": 8, "rounds": 3, "steps": 60, "batch_size": 128}
    return NestedTraining(folder, runs=folder, device="cpu", **(quick | changes))


def fitted(data: CodecData, chosen: NestedTraining) -> NestedModel:
    with Progress(disable=True) as progress:
        return fit_model(data, chosen, progress)


@pytest.mark.parametrize("found", [0, 15], ids=["labels", "clusters"])
def test_nested_learns_with_labels_and_without(data: CodecData, tmp_path: Path, found: int) -> None:
    """300 queries have a standard error under 0.03; chance is 0.1."""
    model = fitted(data, settings(tmp_path, clusters=found))
    measure = Measure(*data.tests["clusters"])
    rows = {
        (k, snr_db): measure.row(Nested(model, k, None, "cpu"), snr_db) for k, snr_db in ((8, 10), (64, 0), (64, 10))
    }
    assert rows[8, 10]["fused"] > 0.85
    assert rows[64, 0]["fused"] > 0.85
    assert rows[64, 10]["cosine"] > max(0.9, rows[64, 0]["cosine"], rows[8, 10]["cosine"])


def test_the_same_seed_gives_the_same_model(data: CodecData, tmp_path: Path) -> None:
    """To the rounding of sums, whose order several threads of torch do not keep."""
    first, second = (fitted(data, settings(tmp_path / name, rounds=1, steps=5)) for name in "ab")
    for name, one in first.state_dict().items():
        torch.testing.assert_close(one, second.state_dict()[name], atol=1e-4, rtol=1e-4)


def material(data: CodecData) -> Material:
    source = fit_source(LabelledEmbeddings(data.train, data.train_labels), data.sender.embeddings, 8, 0)
    x = torch.from_numpy(data.train)
    categories = source.categorize(x)
    spread = source.axes.square().sum(dim=1).sqrt()
    return Material(categories, source.coordinates(x, categories), spread, torch.zeros(CLASSES, dtype=torch.int64))


def test_a_run_that_was_cut_short_goes_on_as_if_never_stopped(data: CodecData) -> None:
    sent = material(data)
    straight, first, second = (CodeTrainer(sent, sent, rounds=2, steps=5, batch=64, seed=3) for _ in range(3))
    states: list[dict] = []
    straight.run(lambda state: None, lambda loss: None)

    class Stop(Exception):
        pass

    def save_and_stop(state: dict) -> None:
        states.append(state)
        raise Stop

    with pytest.raises(Stop):
        first.run(save_and_stop, lambda loss: None)
    second.load_state_dict(states[0])
    assert second.progress.round == 1
    second.run(lambda state: None, lambda loss: None)
    assert second.progress.best == straight.progress.best
    assert torch.equal(second.code.directions, straight.code.directions)


def test_spread_is_that_of_embeddings_which_the_axes_have_not_seen(data: CodecData) -> None:
    """The coordinates of the held-out part have variance 1, whatever the axes made of the part they were fitted to."""
    source = fit_source(LabelledEmbeddings(data.train, data.train_labels), data.sender.embeddings, 8, 0)
    x = torch.from_numpy(data.sender.embeddings)
    variance = source.coordinates(x, source.categorize(x)).square().mean(dim=0)
    torch.testing.assert_close(variance, torch.ones(8), atol=1e-3, rtol=0)
    spread = source.axes.square().sum(dim=1)
    assert (spread[:, 0] > spread[:, -1]).all()


def test_words_leave_the_refinement_its_share_of_each_segment(data: CodecData) -> None:
    code = CodeTrainer(material(data), material(data), rounds=1, steps=1, batch=8, seed=0).code
    for start, stop in SEGMENTS:
        power = code.words(3)[:, start:stop].square().mean(dim=1) + code.gains[3, start:stop].square().mean()
        torch.testing.assert_close(power, torch.ones(CLASSES), atol=1e-4, rtol=0)


def test_clusters_are_found_without_labels(data: CodecData) -> None:
    found = find_clusters(data.train, CLASSES, seed=0)
    pure = sum(np.bincount(data.train_labels[found == number]).max() for number in range(CLASSES))
    assert pure / len(found) > 0.7  # two centres may share a class


def test_one_cluster_is_none(data: CodecData, tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="clusters = 1"):
        fitted(data, settings(tmp_path, clusters=1))


def test_label_words_are_told_apart_better_after_training(tmp_path: Path) -> None:
    """Share of 4000 words found by likelihood at k = 8, 4 dB; random words reach about 0.75, the bound is 0.98."""
    collections = torch.zeros(20, dtype=torch.int64)
    rng = torch.Generator().manual_seed(9)
    with Progress(disable=True) as progress:
        words = train_words(
            8, collections, LabelTraining(str(tmp_path), runs=tmp_path, steps=300, device="cpu"), progress
        )
    sent = torch.randint(20, (4000,), generator=rng)
    y = words[sent] + 10**-0.2 * torch.randn(4000, 8, generator=rng)
    torch.testing.assert_close(words.square().mean(dim=1), torch.ones(20))
    assert ((y @ words.T).argmax(dim=1) == sent).float().mean() > 0.92
