"""Texts of a bundle: the tokens and embeddings of torch's text tower, of every word or of some."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from lab.data.clip_data import TEMPLATES
from shared.clip import Clip, load_clip
from shared.clip.bundle import clip_of_bundle, shipped_bundle
from shared.clip.export import write_bundle
from shared.clip.export_texts import has_standard_tokenizer
from shared.clip.openvino_engine import unavailable
from shared.clip.texts import BundledTexts
from shared.clip.towers import TextTower
from shared.datasets.drawn import CATEGORIES
from shared.errors import DataLoss, Exhausted, InvalidInput, InvalidSetting
from tests.tools.paths import ROOT

if unavailable():
    pytest.skip(unavailable(), allow_module_level=True)

KNOWN = ["a photo of a red star", "the  AQUARIUM\tfish", "an image of one skyscraper.", "", "tulip tulip " * 30]
OTHER = ["Käse 🧀", "it's <b>x</b> &amp; y", "x" * 400, "HELLO 12 worlds_foo", "naÃ¯ve"]


@pytest.fixture(scope="module")
def torch_clip() -> Clip:
    return load_clip(device="cpu", engine="torch", precision="float32")


def test_the_shipped_bundle_embeds_the_words_that_clip_learned_as_torch_does(torch_clip: Clip) -> None:
    texts = KNOWN + [template.format(name) for template in TEMPLATES for name in CATEGORIES]
    found = clip_of_bundle(shipped_bundle(), "float32").embed_texts(texts)
    np.testing.assert_allclose((found * torch_clip.embed_texts(texts)).sum(1), 1, atol=1e-5)


def test_a_word_that_the_bundle_does_not_hold_is_named() -> None:
    clip = clip_of_bundle(shipped_bundle(), "float32")
    with pytest.raises(InvalidInput, match=r"'starfish'; 'zebra': not among the 146 words .* leave --bundle out"):
        clip.embed_texts(["a red zebra", "the starfish"])


def test_a_bundle_of_every_word_embeds_any_text_as_torch_does(tmp_path: Path, torch_clip: Clip) -> None:
    made = write_bundle(tmp_path / "all", "clip-tiny", None, download=False, licence="", codecs=False)
    assert made.words is None
    texts = KNOWN + OTHER
    found = clip_of_bundle(tmp_path / "all", "float32").embed_texts(texts)
    np.testing.assert_allclose((found * torch_clip.embed_texts(texts)).sum(1), 1, atol=1e-5)


def test_a_file_of_words_has_some(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="the file of words holds none"):
        write_bundle(tmp_path / "none", "clip-tiny", None, download=False, licence="", codecs=False, words=" \n")


def test_the_words_that_ship_are_those_of_the_captions() -> None:
    words = set((ROOT / "assets" / "clip-tiny" / "words.txt").read_text(encoding="utf-8").split())
    captions = {word for each in (*TEMPLATES, *CATEGORIES) for word in each.replace("{}", "").split()}
    assert captions <= words


def test_a_tokenizer_of_another_kind_is_not_written() -> None:
    assert not has_standard_tokenizer(TextTower(object(), lambda _: None))  # type: ignore[arg-type, return-value]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("tokenizer.json", b"{}"),
        ("tokenizer.json", None),
        ("text.xml", b"<a/>"),
        ("text.bin", b"x"),
        ("text.bin", None),
    ],
)
def test_a_file_that_is_lost_while_the_service_runs_is_named(tmp_path: Path, name: str, content: bytes | None) -> None:
    """Tower and tokenizer are loaded with the first text, long after the checksums were verified."""
    folder = tmp_path / "bundle"
    shutil.copytree(shipped_bundle(), folder)
    texts = BundledTexts(folder, None)
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_bytes(content)
    with pytest.raises(DataLoss, match=rf"{name.partition('.')[0]}\..*export the bundle again"):
        texts(["a red circle"])


def test_a_long_word_makes_no_long_message() -> None:
    with pytest.raises(InvalidInput) as refused:
        BundledTexts(shipped_bundle(), ["red"])(["x" * 100_000])
    assert len(str(refused.value)) < 1000


def test_a_bundle_that_the_disk_cannot_take_is_said_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenVINO itself says `basic_ios::clear: iostream error`."""

    def fails(*_: object) -> None:
        raise RuntimeError("basic_ios::clear: iostream error")

    monkeypatch.setattr("shared.clip.export.export_tower", fails)
    options = {"download": False, "licence": "", "codecs": False}
    with pytest.raises(RuntimeError, match="iostream"):
        write_bundle(tmp_path / "new", "clip-tiny", None, **options)
    monkeypatch.setattr("shared.files.is_full", lambda _: True)
    with pytest.raises(Exhausted, match="no space is left on the disk of"):
        write_bundle(tmp_path / "new", "clip-tiny", None, **options)
    assert not (tmp_path / "new").exists()
