"""Building from pictures: what is stored, skipped, told twice, and refused."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from receiver.knowledge_base import EngineSettings, KnowledgeBase, build_knowledge_base, read_original
from shared.datasets import EmbeddingSource, Picture, open_source
from shared.errors import InvalidInput, Mismatch, NotFound
from shared.types import Floats


class FakeClip:
    """Embeds by a fixed random projection of an 8 x 8 picture."""

    name = "fake-clip"
    fingerprint = "c0ffee"
    dim = 512

    def __init__(self) -> None:
        self.batches: list[int] = []
        self._projection = np.random.default_rng(0).normal(size=(192, 512)).astype(np.float32)

    def preprocess(self, image: Image.Image) -> npt.NDArray[np.uint8]:
        return np.asarray(image.resize((8, 8)))

    def embed_images(self, pixels: npt.NDArray[np.uint8]) -> Floats:
        self.batches.append(len(pixels))
        embeddings = (pixels.reshape(len(pixels), -1) / np.float32(255) - np.float32(0.5)) @ self._projection
        return embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)


@dataclass
class Shelf:
    """A source of given pictures."""

    pictures: list[Picture]
    name: str = "shelf"
    split: str | None = None
    labels: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.pictures)

    def __iter__(self) -> Iterator[Picture]:
        return iter(self.pictures)


def pixels(seed: int, height: int = 40, width: int = 40) -> npt.NDArray[np.uint8]:
    small = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.NEAREST))


def shelf(count: int) -> Shelf:
    return Shelf([Picture(f"p{seed}", f"label {seed % 3}", pixels(seed)) for seed in range(count)])


def test_a_folder_of_pictures_is_built_and_found(tmp_path: Path) -> None:
    for label in ("猫", "dog"):
        (tmp_path / "pets" / label).mkdir(parents=True)
        for number in range(3):
            Image.fromarray(pixels(number + 10 * len(label))).save(tmp_path / "pets" / label / f"{number}.png")
    (tmp_path / "pets" / "dog" / "broken.jpg").write_bytes(b"\xff\xd8\xff but no JPEG")
    (tmp_path / "pets" / "dog" / "empty.png").write_bytes(b"")
    clip = FakeClip()
    report = build_knowledge_base(open_source(str(tmp_path / "pets")), tmp_path / "kb", clip)
    assert (report.items, report.labels, report.duplicates) == (6, 2, [])
    assert [item_id for item_id, _ in report.skipped] == ["dog/broken.jpg", "dog/empty.png"]
    assert all("broken.jpg" in why or "empty.png" in why for _, why in report.skipped)
    with KnowledgeBase.open(tmp_path / "kb") as kb:
        kb.require_clip("c0ffee")
        assert (kb.description.source, kb.description.clip, kb.view.labels) == ("pets", "fake-clip", ("dog", "猫"))
        query = clip.embed_images(clip.preprocess(Image.fromarray(pixels(12)))[None])
        assert kb.search(query, 1)[0][0].item_id == "猫/2.png"


def test_a_source_with_parts_says_which(tmp_path: Path) -> None:
    source = Shelf(shelf(2).pictures, name="drawn", split="kb")
    build_knowledge_base(source, tmp_path, FakeClip())
    assert KnowledgeBase.open(tmp_path).description.source == "drawn/kb"


@pytest.mark.parametrize(("height", "width", "size"), [(300, 200, (64, 96)), (20, 30, (30, 20)), (1, 2000, (96, 1))])
def test_thumbnails_are_webp_of_96_pixels_at_most(
    tmp_path: Path, height: int, width: int, size: tuple[int, int]
) -> None:
    build_knowledge_base(Shelf([Picture("one", "a", pixels(0, height, width))]), tmp_path, FakeClip())
    with KnowledgeBase.open(tmp_path) as kb, Image.open(BytesIO(kb.get_item("one").thumbnail)) as thumbnail:
        assert (thumbnail.format, thumbnail.size) == ("WEBP", size)


def test_equal_pictures_are_stored_once_whatever_their_file(tmp_path: Path) -> None:
    Image.fromarray(pixels(1)).save(tmp_path / "copy.png")
    Image.fromarray(pixels(1)).save(tmp_path / "copy.webp", lossless=True)
    copies = [Picture(name, "other", tmp_path / name) for name in ("copy.png", "copy.webp")]
    report = build_knowledge_base(Shelf(shelf(3).pictures + copies), tmp_path / "kb", FakeClip())
    assert report.duplicates == [("copy.png", "p1"), ("copy.webp", "p1")]
    assert (report.items, report.labels) == (3, 3)
    assert report.conflicts == [(name, "other", "p1", "label 1") for name in ("copy.png", "copy.webp")]


def test_equal_pictures_under_two_labels_are_a_conflict_and_may_be_stored_or_refused(tmp_path: Path) -> None:
    source = Shelf([*shelf(2).pictures, Picture("twin", "label 1", pixels(1)), Picture("rival", "cat", pixels(1))])
    report = build_knowledge_base(source, tmp_path / "all", FakeClip(), duplicates="all")
    assert (report.items, report.labels) == (4, 3)
    assert report.conflicts == [("rival", "cat", "p1", "label 1")]
    with pytest.raises(InvalidInput, match=r"'twin' is the same picture as 'p1'; .* --duplicates all"):
        build_knowledge_base(source, tmp_path / "error", FakeClip(), duplicates="error")


def test_turned_pictures_are_not_equal(tmp_path: Path) -> None:
    flat = np.zeros((4, 9, 3), dtype=np.uint8)
    report = build_knowledge_base(
        Shelf([Picture("wide", "a", flat), Picture("tall", "a", flat.reshape(9, 4, 3))]), tmp_path, FakeClip()
    )
    assert (report.items, report.duplicates) == (2, [])


def test_batches_and_progress_cover_the_source(tmp_path: Path) -> None:
    clip, told = FakeClip(), []
    report = build_knowledge_base(shelf(10), tmp_path, clip, batch_size=4, on_progress=lambda *at: told.append(at))
    assert clip.batches == [4, 4, 2]
    assert told == [(4, 10), (8, 10), (10, 10)]
    assert report.seconds > 0


def test_a_source_without_pictures_is_refused_and_leaves_the_old(tmp_path: Path) -> None:
    build_knowledge_base(shelf(3), tmp_path, FakeClip())
    with pytest.raises(InvalidInput, match="'shelf' is empty"):
        build_knowledge_base(Shelf([]), tmp_path, FakeClip())
    with pytest.raises(InvalidInput, match="none of the 1 pictures of 'shelf' can be read; the first: 'gone'"):
        build_knowledge_base(Shelf([Picture("gone", "a", tmp_path / "gone.png")]), tmp_path, FakeClip())
    assert KnowledgeBase.open(tmp_path).view.item_ids == ["p0", "p1", "p2"]


def test_an_id_that_comes_twice_is_refused(tmp_path: Path) -> None:
    twice = [Picture("same", "a", pixels(0)), Picture("same", "a", pixels(0))]
    with pytest.raises(InvalidInput, match="'same' comes twice"):
        build_knowledge_base(Shelf(twice), tmp_path, FakeClip())


def test_an_id_that_cannot_be_stored_is_skipped(tmp_path: Path) -> None:
    pictures = [Picture("\udcff.png", "a", pixels(0)), Picture("good", "a", pixels(1))]
    report = build_knowledge_base(Shelf(pictures), tmp_path, FakeClip())
    assert (report.items, [item_id for item_id, _ in report.skipped]) == (1, ["\udcff.png"])


@pytest.mark.parametrize("batch_size", [0, -3])
def test_an_impossible_batch_size_is_refused(tmp_path: Path, batch_size: int) -> None:
    with pytest.raises(InvalidInput, match=f"batch_size = {batch_size}"):
        build_knowledge_base(shelf(1), tmp_path, FakeClip(), batch_size=batch_size)


def test_a_model_that_gives_no_direction_leaves_the_old(tmp_path: Path) -> None:
    class Broken(FakeClip):
        def embed_images(self, pixels: npt.NDArray[np.uint8]) -> Floats:
            return np.full((len(pixels), 512), np.nan, dtype=np.float32)

    build_knowledge_base(shelf(3), tmp_path, FakeClip())
    with pytest.raises(InvalidInput, match="the embedding of 'p0' has length nan"):
        build_knowledge_base(shelf(3), tmp_path, Broken())
    assert len(KnowledgeBase.open(tmp_path).view.item_ids) == 3


class Stopped(FakeClip):
    """Is stopped, as by Ctrl-C, in a batch."""

    def __init__(self, batch: int) -> None:
        super().__init__()
        self._left = batch

    def embed_images(self, pixels: npt.NDArray[np.uint8]) -> Floats:
        self._left -= 1
        if self._left < 0:
            raise KeyboardInterrupt
        return super().embed_images(pixels)


def test_a_build_that_was_stopped_goes_on_where_it_was(tmp_path: Path) -> None:
    others = [Picture("again", "x", pixels(2)), Picture("gone", "x", tmp_path / "gone.png")]
    source = Shelf(shelf(10).pictures + others)
    with pytest.raises(KeyboardInterrupt):
        build_knowledge_base(source, tmp_path / "kb", Stopped(2), batch_size=3)
    with pytest.raises(NotFound):
        KnowledgeBase.open(tmp_path / "kb")
    clip = FakeClip()
    report = build_knowledge_base(source, tmp_path / "kb", clip, batch_size=3)
    assert (report.items, report.resumed, sum(clip.batches)) == (10, 6, 4)
    assert report.duplicates == [("again", "p2")]
    assert [item_id for item_id, _ in report.skipped] == ["gone"]
    build_knowledge_base(source, tmp_path / "straight", FakeClip(), batch_size=3)
    prints = [KnowledgeBase.open(tmp_path / name).description.fingerprint for name in ("kb", "straight")]
    assert prints[0] == prints[1]


def test_a_stopped_build_of_something_else_is_forgotten(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        build_knowledge_base(shelf(10), tmp_path / "kb", Stopped(1), batch_size=3)
    other = Shelf(shelf(4).pictures, name="other")
    assert build_knowledge_base(other, tmp_path / "kb", FakeClip()).resumed == 0
    with pytest.raises(KeyboardInterrupt):
        build_knowledge_base(shelf(10), tmp_path / "kb", Stopped(1), batch_size=3)
    assert KnowledgeBase.open(tmp_path / "kb").description.source == "other"
    assert build_knowledge_base(shelf(10), tmp_path / "kb", FakeClip(), resume=False).resumed == 0
    names = {path.name.partition("-")[0] for path in (tmp_path / "kb").iterdir()}
    assert names == {"current", "lock", "store"}


def test_files_are_copied_in_or_left_where_they_are(tmp_path: Path) -> None:
    for number in range(3):
        Image.fromarray(pixels(number)).save(tmp_path / f"{number}.png")
    given = [Picture(f"p{n}", "a", tmp_path / f"{n}.png", f"caption {n}") for n in range(3)]
    build_knowledge_base(Shelf(given), tmp_path / "outside", FakeClip())
    build_knowledge_base(Shelf([*given, Picture("bare", "a", pixels(9))]), tmp_path / "inside", FakeClip(), copy=True)
    content = (tmp_path / "1.png").read_bytes()
    with KnowledgeBase.open(tmp_path / "outside") as outside, KnowledgeBase.open(tmp_path / "inside") as inside:
        assert read_original(outside.get_item("p1")) == read_original(inside.get_item("p1")) == content
        assert (outside.get_item("p1").picture, outside.get_item("p1").caption) == (b"", "caption 1")
        (tmp_path / "1.png").unlink()
        assert read_original(inside.get_item("p1")) == content
        assert read_original(inside.get_item("bare")).startswith(b"\x89PNG")
        with pytest.raises(NotFound, match="'p1' is gone"):
            read_original(outside.get_item("p1"))
        assert inside.description.copied
        assert not outside.description.copied


def test_ready_embeddings_are_stored_as_they_are(tmp_path: Path) -> None:
    embeddings = np.random.default_rng(0).standard_normal((30, 512)).astype(np.float32)
    source = EmbeddingSource("ready", embeddings, [f"id{n}" for n in range(30)], ["a", "b"] * 15)
    report = build_knowledge_base(source, tmp_path, FakeClip(), settings=EngineSettings(name="hnsw"))
    assert (report.items, report.labels) == (30, 2)
    with KnowledgeBase.open(tmp_path, EngineSettings(name="hnsw")) as kb:
        assert [hits[0].item_id for hits in kb.search(embeddings, 1)] == [f"id{n}" for n in range(30)]
        assert kb.get_item("id3").label == "b"
        assert kb.get_item("id3").thumbnail == b""
        with pytest.raises(NotFound, match="was not kept"):
            read_original(kb.get_item("id3"))


def test_embeddings_without_a_direction_are_skipped_and_named(tmp_path: Path) -> None:
    embeddings = np.eye(5, 512, dtype=np.float32)
    embeddings[1], embeddings[3, 7] = 0, np.nan
    source = EmbeddingSource("ready", embeddings, list("abcde"), [""] * 5)
    report = build_knowledge_base(source, tmp_path, FakeClip())
    assert (report.items, [name for name, _ in report.skipped]) == (3, ["b", "d"])
    with KnowledgeBase.open(tmp_path) as kb:
        found = [hit.item_id for hit in kb.search(embeddings[:1], 10)[0]]
        assert found[0] == "a"
        assert len(found) == 3  # no more than there are, and none without an item


def test_embeddings_of_another_length_are_refused(tmp_path: Path) -> None:
    source = EmbeddingSource("ready", np.ones((3, 8), np.float32), ["a", "b", "c"], [""] * 3)
    with pytest.raises(Mismatch, match=r"have 8 values and those of 'fake-clip' have 512"):
        build_knowledge_base(source, tmp_path, FakeClip())
