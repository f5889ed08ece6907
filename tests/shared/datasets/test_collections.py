"""Collections in files: tables, WebDataset tars, ready embeddings; and what is wrong with those that cannot be read."""

import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from shared.datasets import EmbeddingSource, Picture, open_collection, open_source
from shared.errors import InvalidInput, InvalidPicture, InvalidSetting, NotFound


def png(seed: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def pictures(spec: Path | str) -> list[Picture]:
    return list(open_source(str(spec)))


def described(found: list[Picture]) -> list[tuple[str, str, str]]:
    return [(one.id, one.label, one.caption) for one in found]


def write_tar(path: Path, members: Mapping[str, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, name in enumerate(("a.png", "猫 & co/b.png")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(png(number))
    return tmp_path


ROWS = [("a.png", "cat", 'says "hi", twice'), ("猫 & co/b.png", "", "line\nbreak"), ("gone.png", "dog", "")]


def test_a_csv_names_pictures_labels_and_captions(folder: Path) -> None:
    (folder / "list.csv").write_text(
        'path,label,caption\na.png,cat,"says ""hi"", twice"\n猫 & co/b.png,,"line\nbreak"\ngone.png,dog,\n', "utf-8"
    )
    found = pictures(folder / "list.csv")
    assert described(found) == ROWS
    assert found[1].encoded() == png(1)
    with pytest.raises(InvalidPicture, match=r"gone\.png cannot be read"):
        found[2].image()
    assert open_source(str(folder / "list.csv")).labels == ("", "cat", "dog")


def test_a_parquet_table_is_read_as_a_csv(folder: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet  # noqa: PLC0415

    columns = dict(zip(("path", "label", "caption"), map(list, zip(*ROWS, strict=True)), strict=True))
    parquet.write_table(arrow.table(columns), folder / "list.parquet")
    assert described(pictures(folder / "list.parquet")) == ROWS


def test_only_the_path_must_be_there_and_an_id_may(folder: Path) -> None:
    (folder / "list.csv").write_text("id,path\nfirst,a.png\n")
    assert described(pictures(folder / "list.csv")) == [("first", "", "")]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"label,caption\ncat,x\n", "no column 'path'; it has label, caption"),
        (b"", "no column 'path'; it has none"),
        (b"path,label\na.png\n", "row 2: it has not the 2 fields"),
        (b"path,label\na.png,cat,more\n", "row 2: it has not the 2 fields"),
        (b"path\n\xff\xfe\n", "no CSV file in UTF-8"),
        (b'path\n"never closed\n', "no CSV file"),
    ],
)
def test_a_csv_that_cannot_be_read_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "list.csv").write_bytes(content)
    with pytest.raises(InvalidInput, match=said):
        open_source(str(tmp_path / "list.csv"))


def test_a_tar_holds_pictures_with_labels_and_captions(tmp_path: Path) -> None:
    members = {
        "train/0001.jpg": png(1), "train/0001.cls": b"7\n", "train/0001.txt": "ein Baum, 树".encode(),
        "0002.png": png(2), "0002.json": json.dumps({"label": "cat", "caption": "a cat"}).encode(),
        "0003.seg.PNG": png(3), "0003.json": b"{broken",
        "0004.txt": b"a caption without a picture", ".hidden.png": png(4),
    }  # fmt: skip
    source = open_source(str(write_tar(tmp_path / "shard.tar", members)))
    found = list(source)
    assert described(found) == [("train/0001", "7", "ein Baum, 树"), ("0002", "cat", "a cat"), ("0003", "", "")]
    assert (len(source), source.labels, source.name) == (3, ("", "7", "cat"), "shard")
    assert [one.encoded() for one in found] == [png(1), png(2), png(3)]
    assert found[0].image().size == (8, 8)


@pytest.mark.parametrize("content", [b"", b"no tar at all" * 100])
def test_a_tar_that_cannot_be_read_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "shard.tar").write_bytes(content)
    with pytest.raises(InvalidInput, match=r"shard\.tar"):
        open_source(str(tmp_path / "shard.tar"))


def test_a_tar_cannot_reach_outside_itself(tmp_path: Path) -> None:
    """Links and names that lead elsewhere: nothing is unpacked, links are passed over."""
    with tarfile.open(tmp_path / "evil.tar", "w") as archive:
        link = tarfile.TarInfo("link.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
        outside = tarfile.TarInfo("../../outside.png")
        outside.size = len(png(1))
        archive.addfile(outside, io.BytesIO(png(1)))
    found = pictures(tmp_path / "evil.tar")
    assert [one.id for one in found] == ["../../outside"]
    assert not list(tmp_path.parent.glob("outside*"))


def embeddings() -> npt.NDArray[np.float32]:
    return np.random.default_rng(0).standard_normal((4, 8)).astype(np.float32)


def save_npz(path: Path, **arrays: npt.ArrayLike) -> Path:
    np.savez(path, **{"embeddings": embeddings(), "ids": ["a", "b", "c", "ü"], "labels": list("wxyz")} | arrays)
    return path


def test_npz_npy_and_parquet_hold_embeddings(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet  # noqa: PLC0415

    np.save(tmp_path / "bare.npy", embeddings())
    table = {
        "id": ["a", "b", "c", "ü"],
        "label": list("wxyz"),
        "embedding": embeddings().tolist(),
        "caption": ["k"] * 4,
    }
    parquet.write_table(arrow.table(table), tmp_path / "table.parquet")
    named = open_collection(str(save_npz(tmp_path / "named.npz")))
    bare, rows = (open_collection(str(tmp_path / name)) for name in ("bare.npy", "table.parquet"))
    for source in (named, bare, rows):
        assert isinstance(source, EmbeddingSource)
        assert (len(source), source.dim) == (4, 8)
        np.testing.assert_array_equal(np.stack([one.embedding for one in source]), embeddings())
    assert [(one.id, one.label) for one in named] == [("a", "w"), ("b", "x"), ("c", "y"), ("ü", "z")]
    assert [(one.id, one.label) for one in bare] == [(f"bare/{row}", "") for row in range(4)]
    assert [one.caption for one in rows] == ["k"] * 4
    with pytest.raises(InvalidSetting, match="pictures are needed"):
        open_source(str(tmp_path / "named.npz"))


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"ids": ["a", "b"]}, r"different lengths \[2, 4\]"),
        ({"embeddings": np.zeros(4)}, r"must be floats \[N, dim\]"),
        ({"embeddings": np.zeros((4, 8), np.int64)}, r"int64 \[4, 8\]"),
        ({"ids": np.array([object()] * 4, object)}, "no .npz file"),
    ],
)
def test_arrays_that_do_not_belong_together_are_named(tmp_path: Path, arrays, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        open_collection(str(save_npz(tmp_path / "x.npz", **arrays)))


def test_an_npz_without_the_arrays_says_which(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", features=embeddings())
    with pytest.raises(InvalidInput, match=r"no array embedding or .*; it has features"):
        open_collection(str(tmp_path / "x.npz"))


@pytest.mark.parametrize("name", ["x.npz", "x.npy", "x.parquet"])
def test_a_file_that_is_something_else_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"something else")
    with pytest.raises(InvalidInput, match=name):
        open_collection(str(tmp_path / name))


def test_a_file_or_folder_that_cannot_be_a_source_says_what_can(tmp_path: Path) -> None:
    (tmp_path / "x.doc").write_bytes(b"")
    with pytest.raises(InvalidSetting, match=r"\.csv.*\.tar"):
        open_collection(str(tmp_path / "x.doc"))
    with pytest.raises(NotFound, match=r"drawn, cifar100:DIR.*\.npz"):
        open_collection(str(tmp_path / "nothing"))
    with pytest.raises(InvalidSetting, match="no part 'test'"):
        open_collection(str(save_npz(tmp_path / "x.npz")), split="test")


def test_the_folder_of_clip_retrieval_is_one_source(tmp_path: Path) -> None:
    """More than nine parts, in the order of their numbers; a part without metadata is numbered; float16 stays."""
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet  # noqa: PLC0415

    for place in ("img_emb", "metadata"):
        (tmp_path / "laion" / place).mkdir(parents=True)
    for part in range(11):
        rows = np.full((2, 4), part, np.float16)
        np.save(tmp_path / "laion" / "img_emb" / f"img_emb_{part}.npy", rows)
        if part != 3:
            table = arrow.table({"image_path": [f"{part}/a", f"{part}/b"], "caption": ["x", None]})
            parquet.write_table(table, tmp_path / "laion" / "metadata" / f"metadata_{part}.parquet")
    source = open_collection(str(tmp_path / "laion"))
    assert isinstance(source, EmbeddingSource)
    assert source.embeddings[:, 0].tolist() == np.repeat(np.arange(11), 2).tolist()
    assert [item.id for item in source][5:9] == ["2/b", "img_emb_3/0", "img_emb_3/1", "4/a"]
    assert {item.caption for item in source} == {"x", ""}
    np.save(tmp_path / "laion" / "img_emb" / "img_emb_0.npy", np.zeros((3, 4)))
    with pytest.raises(InvalidInput, match=r"img_emb_0.npy has 3 embeddings.*\[2, 3\]"):
        open_collection(str(tmp_path / "laion"))


def test_a_saved_data_set_of_hugging_face_has_names_of_classes(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet  # noqa: PLC0415

    (tmp_path / "set" / "data").mkdir(parents=True)
    about = {"info": {"features": {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}}}
    for split, numbers in (("train", [1, 0]), ("test", [0, 1])):
        table = arrow.table({"image_embeds": embeddings()[:2].tolist(), "label": numbers})
        named = table.replace_schema_metadata({"huggingface": json.dumps(about)})
        parquet.write_table(named, tmp_path / "set" / "data" / f"{split}-00000-of-00001.parquet")
    both, test = open_collection(str(tmp_path / "set")), open_collection(str(tmp_path / "set"), "test")
    assert isinstance(both, EmbeddingSource)
    assert isinstance(test, EmbeddingSource)
    assert [item.label for item in both] == ["cat", "dog", "dog", "cat"]
    assert [item.label for item in test] == ["cat", "dog"]
    with pytest.raises(InvalidInput, match="no part 'kb'; there are test, train"):
        open_collection(str(tmp_path / "set"), "kb")
