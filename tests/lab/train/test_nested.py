"""Training of nested and label, on clusters that take seconds."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from lab.data.codec_data import CodecData
from lab.train.common.fit import fit
from lab.train.common.scores import score_embeddings
from lab.train.label import LabelSettings
from lab.train.label.train import train_codewords
from lab.train.nested import NestedSettings
from lab.train.nested.code import CodeTraining, Material
from lab.train.nested.source import find_clusters, fit_source
from lab.train.nested.train import fit_model
from shared.codecs.embedding.nested import Nested
from shared.codecs.embedding.nested_shape import SEGMENTS
from tests.tools.embeddings import CLASSES, clustered_data


@pytest.fixture(scope="module")
def data() -> CodecData:
    return clustered_data(3000, dim=40)


def settings(folder: Path, **changes: Any) -> NestedSettings:
    quick: dict[str, Any] = {"axes": 8, "rounds": 3, "steps": 60, "batch_size": 128}
    return NestedSettings(data="", runs=folder, device="cpu", **(quick | changes))


@pytest.mark.slow
@pytest.mark.parametrize("found", [0, 15], ids=["labels", "clusters"])
def test_nested_learns_with_labels_and_without(data: CodecData, tmp_path: Path, found: int) -> None:
    """300 queries have a standard error under 0.03; chance is 0.1."""
    model, analogue = fit_model(data, settings(tmp_path, **({"unlabelled": True, "clusters": found} if found else {})))
    assert (analogue is None) == (not found)
    codecs = [Nested.of_model(model, k, None, "cpu", analogue) for k in (8, 64)]
    rows = {(row["k"], row["snr_db"]): row for row in score_embeddings(codecs, data.tests)}
    assert rows[8, 10]["semantic_accuracy"] > 0.85
    assert rows[64, 0]["semantic_accuracy"] > 0.85
    assert rows[64, 10]["cosine"] > max(0.9, rows[64, 0]["cosine"], rows[8, 10]["cosine"])


def test_the_same_seed_gives_the_same_model(data: CodecData, tmp_path: Path) -> None:
    """To the rounding of sums, whose order several threads of torch do not keep."""
    first, second = (fit_model(data, settings(tmp_path / name, rounds=1, steps=5))[0] for name in "ab")
    for name, one in first.state_dict().items():
        torch.testing.assert_close(one, second.state_dict()[name], atol=1e-4, rtol=1e-4)


def material(data: CodecData) -> Material:
    source = fit_source(data.train, data.sender.embeddings, 8, 0)
    x = torch.from_numpy(data.train.embeddings)
    categories = source.categorize(x)
    spread = source.axes.square().sum(dim=1).sqrt()
    return Material(categories, source.coordinates(x, categories), spread, torch.zeros(CLASSES, dtype=torch.int64))


class Killed(CodeTraining):
    """Stops in the middle of its second round."""

    def training_step(self, batch: Any, step: int) -> torch.Tensor:
        if self.current_epoch == 1 and step == 2:
            raise KeyError("killed")
        return super().training_step(batch, step)


def test_a_killed_run_resumes_to_the_same_result(data: CodecData, tmp_path: Path) -> None:
    """Learning rates included, which fall over the whole run."""
    sent, quick = material(data), settings(tmp_path, rounds=2, steps=5, batch_size=64)
    straight, killed, resumed = (kind(sent, sent, quick) for kind in (CodeTraining, Killed, CodeTraining))
    expected = fit(straight, quick, "straight", quick.rounds)
    with pytest.raises(KeyError, match="killed"):
        fit(killed, quick, "cut", quick.rounds)
    rows = fit(resumed, quick, "cut", quick.rounds)
    assert [row["validation_loss"] for row in rows] == pytest.approx([row["validation_loss"] for row in expected])
    torch.testing.assert_close(resumed.code.directions, straight.code.directions)


def test_spread_is_that_of_embeddings_which_the_axes_have_not_seen(data: CodecData) -> None:
    """The coordinates of the held-out part have variance 1, whatever the axes made of the part they were fitted to."""
    source = fit_source(data.train, data.sender.embeddings, 8, 0)
    x = torch.from_numpy(data.sender.embeddings)
    variance = source.coordinates(x, source.categorize(x)).square().mean(dim=0)
    torch.testing.assert_close(variance, torch.ones(8), atol=1e-3, rtol=0)
    spread = source.axes.square().sum(dim=1)
    assert (spread[:, 0] > spread[:, -1]).all()


def test_codewords_leave_the_refinement_its_share_of_each_segment(data: CodecData, tmp_path: Path) -> None:
    code = CodeTraining(material(data), material(data), settings(tmp_path)).code
    for start, stop in SEGMENTS:
        power = code.codewords(3)[:, start:stop].square().mean(dim=1) + code.gains[3, start:stop].square().mean()
        torch.testing.assert_close(power, torch.ones(CLASSES), atol=1e-4, rtol=0)


def test_clusters_are_found_without_labels(data: CodecData) -> None:
    found = find_clusters(data.train.embeddings, CLASSES, seed=0)
    pure = sum(np.bincount(data.train.labels[found == number]).max() for number in range(CLASSES))
    assert pure / len(found) > 0.7  # two centres may share a class


def test_one_cluster_is_none(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="greater than or equal to 2"):
        settings(tmp_path, unlabelled=True, clusters=1)


def test_label_codewords_are_told_apart_better_after_training(tmp_path: Path) -> None:
    """Share of 4000 codewords found by likelihood at k = 8, 4 dB; random ones reach about 0.75, the bound is 0.98."""
    collections = torch.zeros(20, dtype=torch.int64)
    chosen = LabelSettings(data="", runs=tmp_path, epochs=3, steps=100, device="cpu")
    codewords = train_codewords(8, collections, chosen, "run")
    rng = torch.Generator().manual_seed(9)
    sent = torch.randint(20, (4000,), generator=rng)
    y = codewords[sent] + 10**-0.2 * torch.randn(4000, 8, generator=rng)
    torch.testing.assert_close(codewords.square().mean(dim=1), torch.ones(20))
    assert ((y @ codewords.T).argmax(dim=1) == sent).float().mean() > 0.92
