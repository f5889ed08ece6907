"""`semlink kb` on a receiver that serves, and on folders: what it prints, what it changes, how it ends."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result

from lab.data.features import Features, save_features
from local.health import wait_serving
from receiver.knowledge_base import KnowledgeBase, Origin, write_store
from receiver.knowledge_base.store.layout import Layout
from shared.errors import NotFound, SemLinkError
from tests.tools.cli import invoke, printed
from tests.tools.knowledge_base import vectors
from tests.tools.rpc import PATIENCE, process

MADE_BY = "c0ffeec0ffeec0ff"


def semlink(*arguments: object) -> Result:
    return invoke("kb", *arguments)


def said(*arguments: object) -> Any:
    return printed("kb", *arguments)


def refused(*arguments: object) -> SemLinkError:
    """The error that a command ends with."""
    error = semlink(*arguments).exception
    assert isinstance(error, SemLinkError), error
    return error


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory, drawn_pngs: list[tuple[str, bytes]]) -> Path:
    folder = tmp_path_factory.mktemp("cli") / "pictures"
    for number, (label, data) in enumerate(drawn_pngs[:12]):
        (folder / label).mkdir(parents=True, exist_ok=True)
        (folder / label / f"{number}.png").write_bytes(data)
    return folder


@pytest.fixture(scope="module")
def served(pictures: Path) -> Iterator[Path]:
    """The folder of a knowledge base that a receiver serves; commands find it."""
    kb = pictures.parent / "kb"
    said("build", pictures, "--out", kb, "--device", "cpu")
    with process("receiver", pictures.parent, "--kb", str(kb), "--device", "cpu") as running:
        patch = pytest.MonkeyPatch()
        patch.setenv("SEMLINK_RECEIVER", running.address)
        wait_serving(running.address, PATIENCE)
        yield kb
        patch.undo()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A knowledge base that no receiver serves."""
    with write_store(tmp_path / "kb", Origin("synthetic", "fake-clip", MADE_BY)) as store:
        for number, embedding in enumerate(vectors(20)):
            store.add(f"item-{number}", f"label {number % 3}", embedding, thumbnail=b"webp")
    return tmp_path / "kb"


def test_a_picture_is_added_found_got_relabelled_and_removed(served: Path, tmp_path: Path, drawn_pngs) -> None:
    label, data = drawn_pngs[50]
    picture = tmp_path / "neu & schön.png"
    picture.write_bytes(data)
    before = said("info")
    added = said("add", picture, "--label", "new", "--copy")
    assert (added["added"], added["refused"], added["version"]) == (1, [], before["version"] + 1)
    assert said("search", "--picture", picture, "--top", 1)["hits"][0]["item_id"] == str(picture)
    assert said("search", "--item", picture, "--label", "new")["hits"][0]["label"] == "new"
    assert len(said("search", f"a {label}", "--top", 3)["hits"]) == 3
    item = said("get", picture, "--picture", tmp_path / "out.png", "--thumbnail", tmp_path / "out.webp")
    assert (item["label"], len(item["embedding"])) == ("new", 512)
    assert (tmp_path / "out.png").read_bytes() == data
    assert (tmp_path / "out.webp").read_bytes()[8:12] == b"WEBP"
    np.save(tmp_path / "v.npy", np.array(item["embedding"], np.float32))
    assert said("search", "--embedding", tmp_path / "v.npy")["hits"][0]["item_id"] == str(picture)
    assert said("relabel", "renamed", picture) == {"relabelled": 1}
    assert [line["item_id"] for line in said("list", "--label", "renamed")] == [str(picture)]
    assert said("remove", picture) == {"removed": 1}
    assert "has no item" in str(refused("get", picture))
    assert said("info")["fingerprint"] == before["fingerprint"]


def test_folders_and_embeddings_are_added_and_the_refused_are_told(served: Path, tmp_path: Path, drawn_pngs) -> None:
    (tmp_path / "more" / "cat").mkdir(parents=True)
    (tmp_path / "more" / "cat" / "good.png").write_bytes(drawn_pngs[60][1])
    (tmp_path / "more" / "cat" / "bad.png").write_bytes(b"no picture")
    np.savez(tmp_path / "ready.npz", embeddings=vectors(5), ids=[f"r{n}" for n in range(5)], labels=["r"] * 5)
    fingerprint = said("info")["clip_fingerprint"]
    result = semlink("add", tmp_path / "more", tmp_path / "ready.npz", "--clip-fingerprint", fingerprint, "--json")
    document = json.loads(result.stdout)
    assert (result.exit_code, document["added"]) == (1, 6)
    assert [one["item_id"] for one in document["refused"]] == ["cat/bad.png"]
    assert "no image" in document["refused"][0]["reason"]
    shown = semlink("add", tmp_path / "ready.npz", "--clip-fingerprint", "0badc0de0badc0de")
    assert shown.exit_code == 1
    assert "added 0 items" in shown.stdout
    assert "0badc0de0badc0de" in shown.stderr
    said("remove", "cat/good.png", *(f"r{n}" for n in range(5)))


def test_a_snapshot_is_restored(served: Path) -> None:
    before = said("info")
    first = said("list", "--most", 1)[0]["item_id"]
    made = said("snapshot", "monday")
    assert (made["items"], made["fingerprint"]) == (before["items"], before["fingerprint"])
    said("remove", first)
    assert said("restore", "monday")["fingerprint"] == before["fingerprint"]
    assert said("compact")["items"] == before["items"]
    assert said("verify")["problems"] == []
    assert "there are: monday" in str(refused("restore", "tuesday"))


def test_tables_are_for_people(served: Path) -> None:
    listed, found, described = semlink("list"), semlink("search", "a circle"), semlink("info")
    assert listed.exit_code == found.exit_code == described.exit_code == 0
    assert listed.stdout.splitlines()[0].split() == ["id", "label", "caption", "path"]
    assert found.stdout.splitlines()[0].split() == ["distance", "label", "id"]
    assert "clip-tiny" in described.stdout


def test_what_is_served_is_not_built_over_nor_written_beside(served: Path, pictures: Path) -> None:
    for command in (("build", pictures, "--out", served, "--device", "cpu"), ("compact", "--kb", served)):
        assert "being written by another process" in str(refused(*command))
    assert said("info", served)["items"] == said("info")["items"]


def test_one_query_is_wanted(served: Path, tmp_path: Path) -> None:
    for arguments in ((), ("a cat", "--item", "x")):
        assert "search for one thing" in str(refused("search", *arguments))
    (tmp_path / "x.npy").write_bytes(b"nothing")
    assert "x.npy" in str(refused("search", "--embedding", tmp_path / "x.npy"))
    np.savez(tmp_path / "y.npz", vector=np.ones(512, np.float32))
    assert "y.npz is no .npy file" in str(refused("search", "--embedding", tmp_path / "y.npz"))


def test_a_folder_is_looked_at_and_kept_without_a_receiver(folder: Path) -> None:
    assert said("info", folder)["items"] == 20
    assert [line["item_id"] for line in said("list", "--kb", folder, "--label", "label 1", "--most", 2)] == [
        "item-1", "item-4",
    ]  # fmt: skip
    assert said("snapshot", "one", "--kb", folder)["items"] == 20
    assert said("compact", "--kb", folder)["items"] == 20
    for place in (["--kb", folder], [folder]):
        assert said("verify", *place) == {"items": 20, "indexes": 1, "problems": []}
    assert "name one knowledge base" in str(refused("verify", folder, "--kb", "elsewhere"))
    assert "no problem found" in semlink("verify", "--kb", folder).stdout


def test_damage_is_shown_and_a_snapshot_brings_the_folder_back(folder: Path) -> None:
    said("snapshot", "good", "--kb", folder)
    before = said("info", folder)
    store = Layout(folder).current()
    data = bytearray(store.read_bytes())
    data[data.index(vectors(20)[7].astype("<f4").tobytes()[:100]) + 50] ^= 1
    store.write_bytes(data)
    result = semlink("verify", "--kb", folder)
    assert result.exit_code == 1
    assert "embedding of 'item-7'" in result.stderr.replace("\n", " ")
    store.write_bytes(b"all is lost")
    restored = said("restore", "good", "--kb", folder)
    assert restored["fingerprint"] == before["fingerprint"]
    with KnowledgeBase.open(folder) as kb:
        assert kb.search(vectors(8)[7:], 1)[0][0].item_id == "item-7"


def test_ready_embeddings_are_built_from(tmp_path: Path) -> None:
    np.savez(tmp_path / "ready.npz", embeddings=vectors(8), ids=[f"r{n}" for n in range(8)], labels=["r"] * 8)
    build = ("build", tmp_path / "ready.npz", "--out", tmp_path / "kb")
    assert "name it with --clip MODEL" in str(refused(*build))
    built = said(*build, "--clip", "ViT-B-32", "--clip-fingerprint", MADE_BY, "--engine", "flat")
    assert (built["items"], built["labels"], built["resumed"]) == (8, 1, 0)
    described = said("info", tmp_path / "kb")
    assert (described["clip"], described["clip_fingerprint"], described["source"]) == (
        "ViT-B-32",
        MADE_BY,
        "ready",
    )
    assert "is no text in UTF-8" in str(refused("list", tmp_path / "kb", "--label", "\udcff"))


def test_features_say_which_clip_made_them(tmp_path: Path) -> None:
    names = np.array([f"r{n}" for n in range(8)])
    save_features(tmp_path / "f.npz", Features(vectors(8), names, names, clip="ViT-B-32", clip_fingerprint=MADE_BY))
    build = ("build", tmp_path / "f.npz", "--engine", "flat", "--out", tmp_path / "kb")
    assert f"made by {MADE_BY}" in str(refused(*build, "--clip-fingerprint", "decadedecadedeca"))
    assert said(*build)["items"] == 8
    described = said("info", tmp_path / "kb")
    assert (described["clip"], described["clip_fingerprint"]) == ("ViT-B-32", MADE_BY)


@pytest.mark.parametrize("command", [("verify",), ("compact",), ("list",), ("snapshot", "x"), ("restore", "x")])
def test_a_folder_without_a_knowledge_base_says_what_to_type(tmp_path: Path, command: tuple[str, ...]) -> None:
    error = refused(*command, "--kb", tmp_path / "nothing")
    assert isinstance(error, NotFound)
    assert not (tmp_path / "nothing").exists()
