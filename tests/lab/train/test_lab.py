"""The lab: features in order, losses against their definitions, training that goes on where it was killed."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from rich.progress import Progress

from lab.bench.energy import spent_on
from lab.data.augmentation import augment, pad
from lab.data.captions import TEMPLATES, Captions
from lab.data.codec_data import CodecData, LabelledEmbeddings, split_train
from lab.data.features import extract_features, load_features, save_features
from lab.evaluate.metrics import semantic_accuracy, zero_shot_accuracy
from lab.report.cards import markdown_table
from lab.train.clip.losses import caption_to_picture, picture_to_caption, picture_to_picture
from lab.train.clip.train import ClipTraining, Trainer
from lab.train.common.checkpoint import load_checkpoint, save_checkpoint
from lab.train.common.export import export_codec
from lab.train.common.moving_average import MovingAverage
from lab.train.kbsc.train import train_network
from lab.train.kbsc.trainer import KbscTrainer, KbscTraining, awgn, retrieval
from shared.clip import Clip, load_clip
from shared.codecs.embedding.kbsc import Kbsc, KbscNetwork
from shared.datasets import open_source
from shared.errors import DataLoss, NotFound


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
    sampled = captions.sample(np.random.default_rng(0))[:, 0]
    assert (sampled // len(TEMPLATES)).tolist() == [0, 1]


def test_augmentation_shifts_mirrors_and_cuts_but_keeps_colours() -> None:
    pixels = np.zeros((4, 32, 32, 3), dtype=np.uint8)
    pixels[..., 0] = np.arange(32)  # a slope in red
    pixels[..., 2] = 200
    out = augment(pad(pixels), np.array([0, 1, 2, 3] * 50), np.random.default_rng(0))
    assert out.shape == (200, 32, 32, 3)
    hole = (out == 118).all(axis=3)
    assert (hole.sum(axis=(1, 2)) == 64).all()
    kept = out[~hole]
    assert (kept[:, 2] == 200).all()
    assert kept[:, 0].max() <= 31
    slopes = np.diff(out[:, 0, 8:24, 0].astype(int), axis=1).mean(axis=1)
    assert (slopes > 0).any()
    assert (slopes < 0).any()


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


def test_the_moving_average_follows_and_leaves_masks_alone() -> None:
    model = torch.nn.Linear(2, 2)
    model.register_buffer("mask", torch.full((2,), -torch.inf), persistent=False)
    average = MovingAverage(model, decay=0.5)
    start = model.weight.detach().clone()
    with torch.no_grad():
        model.weight += 1
    average.update(model)
    torch.testing.assert_close(average.module.weight, start + 0.9)  # the first step goes nine tenths of the way
    for _ in range(50):
        average.update(model)
    torch.testing.assert_close(average.module.weight, model.weight.detach())
    assert torch.isneginf(average.module.mask).all()


def test_a_checkpoint_is_the_old_one_or_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "checkpoint.pt"
    assert load_checkpoint(path) is None
    save_checkpoint({"epoch": 1}, path)
    with pytest.raises((AttributeError, TypeError, pickle.PicklingError)):
        save_checkpoint({"epoch": 2, "bad": lambda: None}, path)
    assert load_checkpoint(path) == {"epoch": 1}


@pytest.fixture
def small_cifar(tmp_path: Path) -> Path:
    """Three classes of noise in the official lay-out."""
    rng = np.random.default_rng(0)
    (tmp_path / "meta").write_bytes(pickle.dumps({"fine_label_names": ["a", "b", "c"]}, protocol=2))
    for name in ("train", "test"):
        data = rng.integers(0, 256, (60, 3072), dtype=np.uint8)
        content = {"data": data, "fine_labels": (np.arange(60) % 3).tolist()}
        (tmp_path / name).write_bytes(pickle.dumps(content, protocol=2))
    return tmp_path


def test_training_goes_on_where_it_was_killed(small_cifar: Path, tmp_path: Path) -> None:
    """Two epochs in one run, and two with a kill between them, give the same weights."""
    settings = ClipTraining(small_cifar, epochs=3, batch_size=40, drawn_per_epoch=20, device="cpu")
    straight = Trainer(settings)
    with Progress(disable=True) as progress:
        losses = [straight.train_epoch(epoch, progress) for epoch in (0, 1)]
        first = Trainer(settings)
        assert first.train_epoch(0, progress) == pytest.approx(losses[0], rel=1e-3)
        first.save(tmp_path / "checkpoint.pt")
        second = Trainer(ClipTraining(small_cifar, epochs=3, batch_size=40, drawn_per_epoch=20, device="cpu"))
        second.restore(tmp_path / "checkpoint.pt")
        assert second.train_epoch(1, progress) == pytest.approx(losses[1], rel=1e-3)
    for ours, theirs in zip(second.average.module.parameters(), straight.average.module.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-3, rtol=1e-2)


def _clusters(count: int, rng: np.random.Generator) -> LabelledEmbeddings:
    labels = np.arange(count) % 10
    centres = np.random.default_rng(7).standard_normal((10, 512))
    points = centres[labels] + 0.6 * rng.standard_normal((count, 512))
    return LabelledEmbeddings((points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32), labels)


@pytest.fixture(scope="module")
def codec_data() -> CodecData:
    rng = np.random.default_rng(0)
    tests = {"clusters": (_clusters(100, rng), _clusters(100, rng))}
    return split_train(_clusters(2000, rng), seed=0, tests=tests)


def test_the_papers_split(codec_data: CodecData) -> None:
    assert [len(codec_data.train), len(codec_data.sender.labels), len(codec_data.kb.labels)] == [1600, 200, 200]
    parts = (codec_data.train, codec_data.sender.embeddings, codec_data.kb.embeddings)
    assert len(np.unique(np.concatenate(parts), axis=0)) == 2000


@pytest.mark.parametrize("snr_db", [-7.0, 0.0, 10.0])
def test_training_noise_has_the_power_it_says(snr_db: float) -> None:
    torch.manual_seed(0)
    x = torch.zeros(200, 500, dtype=torch.complex64)
    noise = awgn(x, snr_db)
    n0 = 10 ** (-snr_db / 10)
    assert noise.abs().square().mean().item() == pytest.approx(n0, rel=0.02)  # six standard errors of 100,000 samples
    assert noise.real.square().mean().item() == pytest.approx(n0 / 2, rel=0.03)
    torch.testing.assert_close(awgn(x, float("inf")), x)


def test_kbsc_learns_and_is_read_back(codec_data: CodecData, tmp_path: Path) -> None:
    settings = KbscTraining(str(tmp_path), runs=tmp_path, epochs=15, lr=1e-3, device="cpu")
    with Progress(disable=True) as progress:
        network, epoch = train_network(16, codec_data, settings, progress)
    query, kb = codec_data.tests["clusters"]
    untrained = KbscNetwork(16)
    assert retrieval(network, query, kb, 7.0) > max(0.7, retrieval(untrained, query, kb, 7.0))
    assert retrieval(network, query, kb, 7.0) >= retrieval(network, query, kb, -7.0)
    assert 1 <= epoch <= 15

    export_codec("kbsc", 16, network, tmp_path, "0123456789abcdef")
    codec = Kbsc.from_file(tmp_path / "k16.safetensors", "cpu")
    assert (codec.k, codec.clip_fingerprint) == (16, "0123456789abcdef")
    with torch.inference_mode():
        expected = network.encode(torch.from_numpy(query.embeddings)).numpy()
    np.testing.assert_allclose(codec.encode(query.embeddings), expected, atol=0.02)  # matrices travel in float16


def test_kbsc_goes_on_where_it_was_killed(codec_data: CodecData, tmp_path: Path) -> None:
    """Two epochs in one run, and two with a kill between them, are the same epochs, bit for bit."""
    settings = KbscTraining("", lengths=(16,), epochs=2, device="cpu")
    straight, first, second = (KbscTrainer(16, codec_data, settings, tmp_path / f"{name}.csv") for name in "abc")
    torch.manual_seed(3)
    straight.run_epoch()
    straight.run_epoch()
    torch.manual_seed(3)
    first.run_epoch()
    first.save(tmp_path / "k16.pt")
    torch.manual_seed(4)  # a new process has other random numbers
    second.restore(tmp_path / "k16.pt")
    second.run_epoch()
    assert second.done
    assert [row["loss"] for row in second.curves.rows] == pytest.approx([row["loss"] for row in straight.curves.rows])
    for name, ours in second.network.state_dict().items():
        torch.testing.assert_close(ours, straight.network.state_dict()[name])
    lines = (tmp_path / "c.csv").read_text().splitlines()
    assert lines[0] == "epoch,loss,validation_accuracy,seconds,joules"
    assert [line.split(",")[0] for line in lines[1:]] == ["1", "2"]


def test_a_training_stops_when_retrieval_gets_no_better(codec_data: CodecData, tmp_path: Path) -> None:
    """Nothing is learned at a rate of 0, so the first epoch stays the best one."""
    settings = KbscTraining(str(tmp_path), runs=tmp_path, epochs=50, patience=2, lr=0.0, device="cpu")
    with Progress(disable=True) as progress:
        assert train_network(16, codec_data, settings, progress)[1] == 1
    (curves,) = tmp_path.glob("*.csv")
    assert len(curves.read_text().splitlines()) < 10


def test_energy_is_read_from_the_counters_or_said_to_be_unknown(tmp_path: Path) -> None:
    processor = torch.device("cpu")
    with spent_on(processor, tmp_path) as spent:
        pass
    assert "energy not measured" in str(spent)
    assert np.isnan(spent.row["joules"])
    zone = tmp_path / "intel-rapl:0"
    zone.mkdir()
    (zone / "max_energy_range_uj").write_text("9000000\n")
    (zone / "energy_uj").write_text("8500000\n")
    with spent_on(processor, tmp_path) as spent:
        (zone / "energy_uj").write_text("1500000\n")  # the counter has started again
    assert spent.row["joules"] == pytest.approx(2.0)
    assert "2 J (intel-rapl:0)" in str(spent)


def test_tables() -> None:
    assert markdown_table([{"k": 16, "set": "drawn", "0 dB": 0.51234, "seconds": 92.4, "none": float("nan")}]) == (
        "| k | set | 0 dB | seconds | none |\n| --- | --- | --- | --- | --- |\n| 16 | drawn | 0.512 | 92 |  |"
    )
