"""Files of strangers: no device, pipe or giant is read, no path leaves its folder, and damage has one error."""

import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from client.recording import read_recording
from shared.datasets import Reading, open_collection
from shared.datasets.picture import EmbeddingSource
from shared.errors import DataLoss, Exhausted, InvalidInput, SemLinkError
from shared.files import read_regular
from tests.tools.encoded_files import CIFAR, DAMAGED, WHOLE

GIANT = 40 << 30
FLAGS = Reading(follow_links=True, anywhere=True)


def png(path: Path, shade: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), (shade, 0, 0)).save(path)
    return path


def sparse(path: Path) -> Path:
    with path.open("wb") as file:
        file.truncate(GIANT)
    return path


def fifo(path: Path) -> Path:
    os.mkfifo(path)
    return path


def errors_of(source) -> list[str]:
    """What reading each picture raises, empty where it is read."""
    found = []
    for picture in source:
        try:
            picture.image()
            found.append("")
        except SemLinkError as error:
            found.append(str(error))
    return found


@pytest.mark.parametrize(
    ("make", "kind"),
    [(sparse, Exhausted), (fifo, InvalidInput), (lambda path: path.symlink_to("/dev/zero"), InvalidInput)],
)
def test_what_is_no_file_of_its_size_is_not_read(tmp_path: Path, make: Callable[[Path], object], kind) -> None:
    make(tmp_path / "strange.png")
    with pytest.raises(kind, match=r"strange\.png"):
        read_regular(tmp_path / "strange.png", 1 << 20)
    png(tmp_path / "good.png")
    (tmp_path / "table.csv").write_text("path,label\nstrange.png,a\ngood.png,b\n", encoding="utf-8")
    strange, good = errors_of(open_collection(str(tmp_path / "table.csv"), reading=FLAGS))
    assert "strange.png" in strange
    assert good == ""


def test_a_table_names_pictures_of_its_folder_unless_it_may_name_others(tmp_path: Path) -> None:
    png(tmp_path / "secret.png")
    table = png(tmp_path / "in" / "own.png").parent / "table.csv"
    (tmp_path / "in" / "link.png").symlink_to(tmp_path / "secret.png")
    rows = ["own.png", "../secret.png", str(tmp_path / "secret.png"), "link.png", "../in/own.png"]
    table.write_text("path\n" + "\n".join(rows) + "\n", encoding="utf-8")
    refused = errors_of(open_collection(str(table)))
    assert [bool(one) for one in refused] == [False, True, True, True, False]
    assert all("--anywhere" in one for one in refused if one)
    assert errors_of(open_collection(str(table), reading=Reading(anywhere=True))) == [""] * 5


def test_a_folder_holds_no_links_out_of_it_unless_they_are_followed(tmp_path: Path) -> None:
    png(tmp_path / "secret.png")
    png(tmp_path / "in" / "a" / "own.png")
    (tmp_path / "in" / "a" / "out.png").symlink_to(tmp_path / "secret.png")
    (tmp_path / "in" / "a" / "within.png").symlink_to("own.png")
    out, own, within = errors_of(open_collection(str(tmp_path / "in")))
    assert (own, within) == ("", "")
    assert "--follow-links" in out
    assert errors_of(open_collection(str(tmp_path / "in"), reading=Reading(follow_links=True))) == ["", "", ""]


def refusal(path: Path) -> str | None:
    """Why a source cannot be opened and walked over, as a build does; pictures that cannot be read are skipped."""
    try:
        source = open_collection(str(path))
        list(source) if isinstance(source, EmbeddingSource) else errors_of(source)
    except SemLinkError as error:
        return str(error)
    return None


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_is_one_error_that_names_it(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(DAMAGED[name])
    reason = refusal(tmp_path / name)
    assert reason is None or name in reason


@pytest.mark.parametrize("name", WHOLE)
@given(where=st.integers(0, 4000), bits=st.integers(1, 255), cut=st.integers(0, 4000) | st.none())
@settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_damage_is_an_error_of_semlink(tmp_path: Path, name: str, where: int, bits: int, cut: int | None) -> None:
    data = bytearray(WHOLE[name])
    data[where % len(data)] ^= bits
    (tmp_path / name).write_bytes(data if cut is None else data[: cut % len(data)])
    reason = refusal(tmp_path / name)
    assert reason is None or name in reason


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("meta", []),
        ("meta", {}),
        ("meta", {"fine_label_names": 5}),
        ("test", {"data": [[0] * 3072]}),
        ("test", {"data": [[0] * 3072] * 2, "fine_labels": [0, 2]}),
        ("test", {"data": [[0] * 3072] * 2, "fine_labels": [0]}),
        ("test", {"data": [[0] * 3071], "fine_labels": [0]}),
        ("test", {"data": [[-1] * 3072], "fine_labels": [1 << 80]}),
        ("test", b"\x80\x04\x95\xff"),
        ("test", b"cos\nsystem\n(S'true'\ntR."),
    ],
)
def test_a_damaged_file_of_cifar_is_named(tmp_path: Path, file: str, content) -> None:
    for name, whole in ({"train": {}} | CIFAR | {file: content}).items():
        (tmp_path / name).write_bytes(whole if isinstance(whole, bytes) else pickle.dumps(whole))
    with pytest.raises(DataLoss, match=str(tmp_path / file)):
        list(open_collection(f"cifar100:{tmp_path}", "query"))


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"global": 3}', '{"global": {"core:datatype": "cf32_le"}}', "\udcff"]
)
def test_a_damaged_recording_is_named(tmp_path: Path, text: str) -> None:
    pytest.importorskip("sigmf")
    (tmp_path / "a.sigmf-meta").write_bytes(text.encode(errors="surrogateescape"))
    (tmp_path / "a.sigmf-data").write_bytes(bytes(64))
    with pytest.raises((DataLoss, InvalidInput), match=r"a(\.sigmf-meta)? "):
        read_recording(tmp_path / "a")
    sparse(tmp_path / "a.sigmf-data")
    with pytest.raises(SemLinkError, match=r"a\.sigmf"):
        read_recording(tmp_path / "a")
