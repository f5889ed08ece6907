"""CIFAR-100's reader, folders of pictures, and the one way to open them."""

import collections
import hashlib
import io
import os
import pickle
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shared.datasets import cifar100, open_source
from shared.datasets.drawn import CATEGORIES, draw_batch
from shared.errors import DataLoss, InvalidPicture, InvalidSetting, NotFound

NAMES = [f"class_{number:02d}" for number in range(3)]


def _write_cifar(folder: Path, as_bytes: bool) -> None:
    """A small data set in the official lay-out: 3 classes, 100 test pictures each, shuffled."""
    key = (lambda text: text.encode()) if as_bytes else (lambda text: text)
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    (folder / "meta").write_bytes(pickle.dumps({key("fine_label_names"): [key(name) for name in NAMES]}, protocol=2))
    for name, count in (("train", 30), ("test", 300)):
        labels = rng.permutation(np.arange(count) % 3)
        data = rng.integers(0, 256, size=(count, 3072), dtype=np.uint8)
        content = {key("data"): data, key("fine_labels"): labels.tolist(), key("coarse_labels"): [0] * count}
        (folder / name).write_bytes(pickle.dumps(content, protocol=2))


@pytest.fixture
def cifar(tmp_path: Path) -> Path:
    _write_cifar(tmp_path / "cifar-100-python", as_bytes=True)
    return tmp_path


@pytest.mark.parametrize("as_bytes", [True, False], ids=["python 2 keys", "python 3 keys"])
def test_cifar_reads_both_kinds_of_keys(tmp_path: Path, as_bytes: bool) -> None:
    _write_cifar(tmp_path / "c", as_bytes)
    part = cifar100.read_cifar100(tmp_path / "c", "train")
    raw = pickle.loads((tmp_path / "c" / "train").read_bytes())
    data = raw[b"data" if as_bytes else "data"]
    assert part.names == ("class 00", "class 01", "class 02")
    assert part.pixels.shape == (30, 32, 32, 3)
    np.testing.assert_array_equal(part.pixels[4, :, :, 1].reshape(-1), data[4, 1024:2048])


def test_cifar_query_and_kb_are_the_halves_of_each_class(cifar: Path) -> None:
    whole, query, kb = (cifar100.read_cifar100(cifar, split) for split in ("test", "query", "kb"))
    assert sorted([*query.positions, *kb.positions]) == list(range(300))
    for target in range(3):
        members = np.flatnonzero(whole.targets == target)
        np.testing.assert_array_equal(query.positions[query.targets == target], members[:50])
        np.testing.assert_array_equal(kb.positions[kb.targets == target], members[50:])


class _Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("echo pwned > pwned",)


@pytest.mark.parametrize("stranger", [_Evil(), collections.Counter("a")], ids=["code", "another class"])
def test_cifar_refuses_a_pickle_that_asks_for_more(cifar: Path, stranger: object) -> None:
    (cifar / "cifar-100-python" / "test").write_bytes(pickle.dumps({"data": stranger}))
    with pytest.raises(DataLoss, match="asks for"):
        cifar100.read_cifar100(cifar, "kb")
    assert not Path("pwned").exists()


def test_cifar_refuses_a_damaged_file(cifar: Path) -> None:
    path = cifar / "cifar-100-python" / "train"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(DataLoss, match="unpack the official archive"):
        cifar100.read_cifar100(cifar, "train")


def test_cifar_archive_is_checked_and_unpacked(tmp_path: Path) -> None:
    _write_cifar(tmp_path / "in" / "cifar-100-python", as_bytes=True)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.add(tmp_path / "in" / "cifar-100-python", "cifar-100-python")
    data = buffer.getvalue()
    out = tmp_path / "out"
    with pytest.raises(DataLoss, match="md5"):
        cifar100.unpack_archive(data, out)
    cifar100.unpack_archive(data, out, md5=hashlib.md5(data).hexdigest())
    assert cifar100.is_cifar100(out)


def test_cifar_archive_cannot_write_outside(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("../escaped"))
    data = buffer.getvalue()
    with pytest.raises(tarfile.OutsideDestinationError):
        cifar100.unpack_archive(data, tmp_path / "in", md5=hashlib.md5(data).hexdigest())


def test_the_real_cifar() -> None:
    folder = os.environ.get("SEMLINK_CIFAR100")
    if not folder:
        pytest.skip("SEMLINK_CIFAR100 names no folder with CIFAR-100")
    query = open_source(f"cifar100:{folder}", "query")
    assert len(query) == 5000
    assert query.labels[:3] == ("apple", "aquarium fish", "baby")
    first = next(iter(query))
    assert (first.id, first.label, first.image().size) == ("cifar100/test/00000", "mountain", (32, 32))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for label, colour in (("cat", "red"), ("dog", "blue")):
        (tmp_path / label / "deep").mkdir(parents=True)
        Image.new("RGB", (20, 10), colour).save(tmp_path / label / "one.png")
        Image.new("RGB", (20, 10), colour).save(tmp_path / label / "deep" / "two.JPG")
    (tmp_path / "dog" / "broken.png").write_bytes(b"no picture")
    (tmp_path / "dog" / "notes.txt").write_text("not a picture", encoding="utf-8")
    (tmp_path / "dog" / ".hidden.png").write_bytes(b"")
    return tmp_path


def test_folder_labels_are_its_sub_folders(folder: Path) -> None:
    source = open_source(str(folder))
    assert source.labels == ("cat", "dog")
    assert [(picture.id, picture.label) for picture in source] == [
        ("cat/deep/two.JPG", "cat"),
        ("cat/one.png", "cat"),
        ("dog/broken.png", "dog"),
        ("dog/deep/two.JPG", "dog"),
        ("dog/one.png", "dog"),
    ]
    assert len(source) == 5


def test_folder_reports_a_broken_file_by_name_and_goes_on(folder: Path) -> None:
    broken = []
    for picture in open_source(str(folder)):
        try:
            assert picture.image().size == (20, 10)
        except InvalidPicture as error:
            broken.append(str(error))
    assert len(broken) == 1
    assert "dog/broken.png" in broken[0]


def test_folder_without_sub_folders_has_no_labels(folder: Path) -> None:
    source = open_source(str(folder / "cat" / "deep"))
    assert source.labels == ("",)
    assert [picture.id for picture in source] == ["two.JPG"]


def test_folder_split_is_a_sub_folder(folder: Path) -> None:
    source = open_source(str(folder), "cat")
    assert [picture.id for picture in source] == ["cat/deep/two.JPG", "cat/one.png"]


def test_drawn_source_encodes_png() -> None:
    source = open_source("drawn", "query")
    picture = next(iter(source))
    assert (len(source), picture.id, picture.label) == (1000, "drawn/query/00000", CATEGORIES[0])
    expected, _ = draw_batch("query", [0])
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(picture.encoded()))), expected[0])
    assert len(open_source("drawn")) == 2000


def test_official_layout_is_recognised(cifar: Path) -> None:
    assert open_source(str(cifar), "query").name == "cifar100"
    assert len(open_source(f"cifar100:{cifar}")) == 150


@pytest.mark.parametrize(
    ("spec", "split", "error", "words"),
    [
        ("nowhere", None, NotFound, "type drawn, scenes, cifar100:DIR"),
        ("cifar100:nowhere", None, NotFound, "train, test, meta"),
        ("drawn", "test", InvalidSetting, "train, kb, query"),
        (".", "no-such-part", InvalidSetting, "no part 'no-such-part'"),
    ],
)
def test_a_missing_source_says_what_to_type(spec: str, split: str | None, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        open_source(spec, split)


def test_an_empty_folder_is_no_source(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="holds no pictures"):
        open_source(str(tmp_path))


def test_data_sets_need_no_torch() -> None:
    code = "import sys, shared.datasets; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
