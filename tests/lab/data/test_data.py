"""Features in order, the split of embeddings, captions, and the augmentation of pictures."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lab.data.clip_data import TEMPLATES, Captions, augmentation
from lab.data.features import extract_features, load_features, save_features
from lab.evaluate.metrics import semantic_accuracy, zero_shot_accuracy
from shared.clip import Clip, load_clip
from shared.datasets import open_source
from shared.errors import DataLoss, NotFound
from tests.tools.embeddings import clustered_data


@pytest.fixture(scope="module")
def clip() -> Clip:
    return load_clip(device="cpu", precision="float32")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for number in range(5):
        folder = tmp_path / "pictures" / f"label{number % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)).save(folder / f"{number}.png")
    (tmp_path / "pictures" / "label0" / "3.png").write_bytes(b"no picture")
    return tmp_path / "pictures"


def test_features_keep_the_order_and_name_what_they_skip(clip: Clip, pictures: Path) -> None:
    done: list[tuple[int, int]] = []
    features = extract_features(open_source(str(pictures)), clip, batch_size=2, progress=lambda *at: done.append(at))
    assert features.ids.tolist() == ["label0/0.png", "label0/2.png", "label0/4.png", "label1/1.png", "label1/3.png"]
    assert features.labels.tolist() == ["label0"] * 3 + ["label1"] * 2
    assert done == [(2, 6), (4, 6), (6, 6)]
    assert len(features.skipped) == 1
    assert "label0/3.png" in features.skipped[0]
    alone = clip.embed_images(clip.preprocess(Image.open(pictures / "label1" / "1.png"))[None])
    np.testing.assert_allclose(features.embeddings[3], alone[0], atol=1e-5)


def test_features_survive_the_disk(clip: Clip, pictures: Path, tmp_path: Path) -> None:
    features = extract_features(open_source(str(pictures)), clip)
    path = tmp_path / "out" / "features.npz"
    save_features(path, features)
    loaded = load_features(path)
    np.testing.assert_array_equal(loaded.embeddings, features.embeddings)
    assert loaded.ids.tolist() == features.ids.tolist()
    assert sorted(np.load(path).files) == ["clip", "clip_fingerprint", "embeddings", "ids", "labels"]
    assert (loaded.clip, loaded.clip_fingerprint) == ("clip-tiny", clip.fingerprint)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataLoss, match="make them again"):
        load_features(path)
    np.save(path.open("wb"), features.embeddings)
    with pytest.raises(DataLoss, match="make them again"):
        load_features(path)
    with pytest.raises(NotFound, match="semlink features"):
        load_features(tmp_path / "nothing.npz")


def test_features_of_nothing_readable(clip: Clip, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    features = extract_features(open_source(str(tmp_path)), clip)
    assert features.embeddings.shape == (0, 512)
    assert len(features.skipped) == 1


def test_semantic_accuracy_by_hand() -> None:
    items = np.eye(3, dtype=np.float32)
    queries = np.array([[0.9, 0.1, 0], [0, 1, 0], [0, 0.2, 0.8], [1, 0, 0]], dtype=np.float32)
    labels, wanted = np.array([4, 5, 6]), np.array([4, 5, 6, 6])
    assert semantic_accuracy(queries, wanted, items, labels) == 0.75
    assert zero_shot_accuracy(queries, np.array([0, 1, 2, 2]), items) == 0.75


def test_captions_cover_every_class_and_template() -> None:
    seen: list[str] = []

    def tokenizer(sentences: list[str]) -> torch.Tensor:
        seen.extend(sentences)
        return torch.arange(len(sentences))[:, None].repeat(1, 16)

    captions = Captions(["dog", "red star"], tokenizer)
    assert len(seen) == 2 * len(TEMPLATES)
    assert captions.tokens.shape == (2, len(TEMPLATES), 16)
    sampled = captions.sample()[:, 0]
    assert (sampled // len(TEMPLATES)).tolist() == [0, 1]


def test_the_papers_split() -> None:
    data = clustered_data(2000)
    parts = [part.embeddings for part in (data.train, data.sender, data.kb)]
    assert [len(part) for part in parts] == [1600, 200, 200]
    assert len(np.unique(np.concatenate(parts), axis=0)) == 2000


def test_augmentation_shifts_mirrors_and_cuts_but_keeps_colours() -> None:
    picture = torch.zeros(3, 32, 32, dtype=torch.uint8)
    picture[0] = torch.arange(32)  # a slope in red
    picture[2] = 200
    augment = augmentation(32)
    out = torch.stack([augment(picture) for _ in range(200)])
    assert (out.shape, out.dtype) == ((200, 3, 32, 32), torch.uint8)
    hole = (out == 118).all(dim=1)
    assert (hole.sum(dim=(1, 2)) == 64).all()
    kept = out.permute(0, 2, 3, 1)[~hole]
    assert (kept[:, 2] == 200).all()
    assert kept[:, 0].max() <= 31
    slopes = out[:, 0, 0, 8:24].int().diff(dim=1).float().mean(dim=1)
    assert (slopes > 0).any()
    assert (slopes < 0).any()
    assert len(set(kept[:, 0].tolist())) == 32
