"""Training of clip-tiny: losses against their definitions, and a few steps on noise."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from lab.train.clip import ClipSettings
from lab.train.clip.losses import caption_to_picture, picture_to_caption, picture_to_picture
from lab.train.clip.train import ClipTraining
from lab.train.common.fit import fit


def _sphere(*shape: int) -> torch.Tensor:
    return torch.nn.functional.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(shape[0])), dim=1)


def test_losses_against_their_definitions() -> None:
    images, texts, scale = _sphere(6, 8), _sphere(4, 8), torch.tensor(7.0)
    targets = torch.tensor([0, 1, 1, 3, 3, 3])
    logits = scale * images @ texts.T
    forward = -np.mean([logits[i].log_softmax(0)[targets[i]].item() for i in range(6)])
    assert picture_to_caption(images, texts, targets, scale, smoothing=0.0).item() == pytest.approx(forward, abs=1e-5)

    rows = [logits[:, label].log_softmax(0)[targets == label].mean().item() for label in (0, 1, 3)]
    assert caption_to_picture(images, texts, targets, scale).item() == pytest.approx(-np.mean(rows), abs=1e-5)

    terms = []
    for i in range(1, 6):  # picture 0 is alone in its class
        others = [j for j in range(6) if j != i]
        log_probability = (images[others] @ images[i] / 0.1).log_softmax(0)
        terms.append(np.mean([log_probability[n].item() for n, j in enumerate(others) if targets[j] == targets[i]]))
    assert picture_to_picture(images, targets, temperature=0.1).item() == pytest.approx(-np.mean(terms), abs=1e-4)


@pytest.fixture
def small_cifar(tmp_path: Path) -> Path:
    """Three classes of noise in the official lay-out."""
    rng = np.random.default_rng(0)
    (tmp_path / "meta").write_bytes(pickle.dumps({"fine_label_names": ["a", "b", "c"]}, protocol=2))
    for name in ("train", "test"):
        count = {"train": 60, "test": 156}[name]  # the knowledge base begins at a class's 51st picture
        data = rng.integers(0, 256, (count, 3072), dtype=np.uint8)
        content = {"data": data, "fine_labels": (np.arange(count) % 3).tolist()}
        (tmp_path / name).write_bytes(pickle.dumps(content, protocol=2))
    return tmp_path


@pytest.mark.slow
def test_clip_learns_a_few_steps(small_cifar: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.data.clip_data.split_length", lambda _: 200)
    settings = ClipSettings(
        data=str(small_cifar), runs=tmp_path, epochs=2, batch_size=20, drawn_per_epoch=20, device="cpu"
    )
    training = ClipTraining(settings)
    before = training.model.visual.state_dict()
    before = {name: value.clone() for name, value in before.items()}
    rows = fit(training, settings, "run", settings.epochs)
    assert [row["epoch"] for row in rows] == [1, 2]
    assert all(np.isfinite(row["loss"]) for row in rows)
    assert {"cifar_zero_shot", "cifar_nearest", "drawn_nearest", "seconds", "joules"} <= rows[0].keys()
    after = training.model.visual.state_dict()
    assert any(not torch.equal(value, after[name]) for name, value in before.items())
    assert training.embed(np.zeros((3, 32, 32, 3), np.uint8)).shape == (3, 512)
