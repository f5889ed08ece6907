"""Collections in files: tables, WebDataset tars, ready embeddings; and what is wrong with those that cannot be read."""

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shared.datasets import EmbeddingSource, Reading, drawn, open_collection, open_collections, open_source
from shared.errors import InvalidInput, InvalidPicture, InvalidSetting, NotFound
from tests.tools.collection_files import described, embeddings, pictures, png, save_npz, write_tar

ROWS = [("a.png", "cat", 'says "hi", twice'), ("猫 & co/b.png", "", "line\nbreak"), ("gone.png", "dog", "")]


def test_a_csv_names_pictures_labels_and_captions(folder: Path) -> None:
    (folder / "list.csv").write_text(
        'path,label,caption\na.png,cat,"says ""hi"", twice"\n猫 & co/b.png,,"line\nbreak"\ngone.png,dog,\n',
        encoding="utf-8",
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
    (folder / "list.csv").write_text("id,path\nfirst,a.png\n", encoding="utf-8")
    assert described(pictures(folder / "list.csv")) == [("first", "", "")]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"label,caption\ncat,x\n", "no column 'path' .*it has label, caption: .*--path-column"),
        (b"", "is an empty table"),
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


def test_names_with_dots_are_names_of_their_own(tmp_path: Path) -> None:
    names = ("v1.0.png", "v1.0.cls", "v1.1.png", "v1.1.cls")
    members = {name: png(number) if name.endswith("png") else name.encode() for number, name in enumerate(names)}
    found = pictures(write_tar(tmp_path / "shard.tar", members))
    assert described(found) == [("v1.0", "v1.0.cls", ""), ("v1.1", "v1.1.cls", "")]
    assert [one.encoded() for one in found] == [png(0), png(2)]


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


@pytest.mark.parametrize("name", ["x.npz", "x.npy", "x.parquet"])
def test_a_file_that_is_something_else_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"something else")
    with pytest.raises(InvalidInput, match=name):
        open_collection(str(tmp_path / name))


def test_an_archive_by_the_name_of_an_array_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", embeddings=np.eye(4, dtype=np.float32))
    (tmp_path / "x.npz").rename(tmp_path / "x.npy")
    with pytest.raises(InvalidInput, match=r"x\.npy is no \.npy file that can be read .* numpy\.save"):
        open_collection(str(tmp_path / "x.npy"))


def test_a_range_of_too_many_names_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"\{0\.\.99999999\} stands for more than 1,000,000 names"):
        open_collections([str(tmp_path / "{0..99999999}.tar")])


def test_a_file_or_folder_that_cannot_be_a_source_says_what_can(tmp_path: Path) -> None:
    (tmp_path / "x.doc").write_bytes(b"")
    with pytest.raises(InvalidSetting, match=r"\.csv.*\.tar"):
        open_collection(str(tmp_path / "x.doc"))
    with pytest.raises(NotFound, match=r"drawn, scenes, cifar100:DIR.*\.npz"):
        open_collection(str(tmp_path / "nothing"))
    with pytest.raises(InvalidSetting, match="no part 'test'"):
        open_collection(str(save_npz(tmp_path / "x.npz")), split="test")


@pytest.mark.parametrize(
    ("header", "encoding"),
    [("filename,class,text", "utf-8"), ("Path;Label;Caption", "utf-8-sig"), ("image\tcategory\ttitle", "utf-16")],
)
def test_usual_names_separators_and_marks_are_found(folder: Path, header: str, encoding: str) -> None:
    separator = next(each for each in ",;\t" if each in header)
    rows = [header, separator.join(["a.png", "Bär", '"a bear, brown"'])]
    (folder / "list.csv").write_bytes("\n".join(rows).encode(encoding))
    assert described(pictures(folder / "list.csv")) == [("a.png", "Bär", "a bear, brown")]


def test_a_table_of_urls_says_who_fetches_them(folder: Path) -> None:
    (folder / "list.csv").write_text("URL,text\nhttps://example.org/a.png,a\n", encoding="utf-8")
    with pytest.raises(InvalidInput, match="not fetched: img2dataset"):
        pictures(folder / "list.csv")


def test_a_table_in_another_encoding_names_the_flag(folder: Path) -> None:
    (folder / "list.csv").write_bytes("photo;kind\na.png;Bär\n".encode("latin-1"))
    with pytest.raises(InvalidInput, match=r"no CSV file in UTF-8.*--encoding latin-1"):
        pictures(folder / "list.csv")
    reading = Reading(columns={"path": "Photo", "label": "kind"}, encoding="latin-1")
    (found,) = open_source(str(folder / "list.csv"), reading=reading)
    assert (found.label, found.image().size) == ("Bär", (8, 8))
    with pytest.raises(InvalidInput, match=r"--path-column foto: .*there are photo, kind"):
        open_source(str(folder / "list.csv"), reading=Reading(columns={"path": "foto"}, encoding="latin-1"))


def test_a_parquet_of_hugging_face_holds_the_files_themselves(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet  # noqa: PLC0415

    rows = {"image": [{"bytes": png(1), "path": "one.png"}, {"bytes": png(2), "path": None}], "label": [3, 4]}
    parquet.write_table(pyarrow.table(rows), tmp_path / "train.parquet")
    found = pictures(tmp_path / "train.parquet")
    assert [(one.id, one.label, one.encoded()) for one in found] == [("one.png", "3", png(1)), ("1", "4", png(2))]


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    """Three good shards, whose members have the same names; one is missing, one torn."""
    folder = tmp_path / "shards"
    folder.mkdir()
    for number in (0, 1, 10):
        write_tar(folder / f"{number:02}.tar", {"0.png": png(number), "0.cls": str(number).encode()})
    (folder / "03.tar").write_bytes((folder / "00.tar").read_bytes()[:700])
    return folder


@pytest.mark.parametrize("pattern", ["{00..10}.tar", "*.tar", "", "{00,01,03,10}.tar"])
def test_ranges_globs_and_folders_of_shards(shards: Path, pattern: str) -> None:
    reading = Reading()
    found = list(open_source(str(shards / pattern), reading=reading))
    assert [(one.id, one.label) for one in found] == [("00/0", "0"), ("01/0", "1"), ("10/0", "10")]
    missing = 7 if ".." in pattern else 0
    assert len(reading.skipped) == missing + 1
    assert any("03.tar" in name and "no tar file" in why for name, why in reading.skipped)
    with pytest.raises((InvalidInput, NotFound)):
        open_source(str(shards / pattern), reading=Reading(strict=True))


def test_several_sources_are_joined_in_their_order(shards: Path, folder: Path) -> None:
    found = open_collections([str(shards / "01.tar"), str(folder), "first:1:drawn"])
    assert [one.id for one in found][:2] == ["01/0", f"{folder.name}/a.png"]
    assert len(found) == len(list(found))
    with pytest.raises(InvalidInput, match="named twice"):
        open_collections([str(shards / "01.tar")] * 2)
    np.save(shards / "x.npy", embeddings())
    with pytest.raises(InvalidInput, match="x holds embeddings and others hold pictures"):
        open_collections([str(shards / "01.tar"), str(shards / "x.npy")])


def test_a_saved_data_set_of_hugging_face_has_names_of_classes(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet  # noqa: PLC0415

    (tmp_path / "set" / "data").mkdir(parents=True)
    about = {"info": {"features": {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}}}
    for part, numbers in enumerate(([1, 0], [0, 1])):
        table = arrow.table({"image_embeds": embeddings()[:2].tolist(), "label": numbers})
        named = table.replace_schema_metadata({"huggingface": json.dumps(about)})
        parquet.write_table(named, tmp_path / "set" / "data" / f"train-0000{part}-of-00002.parquet")
    source = open_collection(str(tmp_path / "set"))
    assert isinstance(source, EmbeddingSource)
    assert [item.label for item in source] == ["dog", "cat", "cat", "dog"]


def test_the_length_of_the_first_of_each_label_is_known_without_drawing(monkeypatch: pytest.MonkeyPatch) -> None:
    source = open_source("first:3:drawn")
    assert len(list(source)) == 300

    def never(*_: object) -> None:
        raise AssertionError("a picture is drawn")

    monkeypatch.setattr(drawn, "draw_batch", never)
    assert len(source) == len(open_source("first:3:drawn")) == 300
    assert len(open_source("first:1000:drawn")) == drawn.split_length("kb")


def test_the_first_of_each_label_of_a_folder_are_counted_where_a_label_has_fewer(tmp_path: Path) -> None:
    for label, count in (("cat", 1), ("dog", 3)):
        (tmp_path / label).mkdir()
        for number in range(count):
            Image.new("RGB", (8, 8), (number, 0, len(label))).save(tmp_path / label / f"{number}.png")
    source = open_source(f"first:2:{tmp_path}")
    assert len(source) == len(list(source)) == 3
