"""A second start finds CLIP converted and its fastest engine known: it loads no torch and measures nothing."""

import json
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from shared.clip import Clip, load_clip, openvino_engine
from shared.clip.bundle import read_manifest, shipped_bundle
from shared.clip.kept import keep_fastest, kept_clip
from shared.clip.model import About
from shared.clip.openvino_engine import ir_file_of
from shared.datasets.drawn import draw_batch
from tests.tools.paths import ROOT

if openvino_engine.unavailable():
    pytest.skip(openvino_engine.unavailable(), allow_module_level=True)

LATER_START = """
import sys
from shared.clip import load_clip
from shared.codecs import CodecShelf
clip = load_clip(device="cpu", engine="openvino", precision="float32")
names = {codec.name for codec in CodecShelf(clip.device, clip.fingerprint).load_all()}
print(clip.engine, clip.precision, clip.fingerprint, "torch" in sys.modules, "kbsc" in names, "deepjscc" in names)
"""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Clip, Path]:
    """What the first start with an empty cache loads, and the cache that it leaves."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        return load_clip(device="cpu", engine="openvino", precision="float32"), folder


@pytest.fixture
def first(loaded: tuple[Clip, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clip:
    """What the first start has loaded, and a copy of its cache for the test."""
    clip, cache = loaded
    shutil.copytree(cache, tmp_path / "cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return clip


def test_the_next_start_loads_no_torch_with_clip_and_all_codecs(first: Clip) -> None:
    run = subprocess.run(
        [sys.executable, "-c", LATER_START], cwd=ROOT, capture_output=True, encoding="utf-8", check=True
    )
    assert run.stdout.splitlines()[-1] == f"openvino float32 {first.fingerprint} False True True"


def test_what_is_kept_is_the_same_clip(first: Clip) -> None:
    kept = kept_clip("openvino", "float32")
    assert kept is not None
    assert _plain(kept.about) == _plain(first.about)
    assert kept.image_size == first.image_size
    pictures = np.ascontiguousarray(draw_batch("query", range(20))[0][:, ::2, ::2])
    assert np.array_equal(kept.embed_images(pictures), first.embed_images(pictures))
    assert np.allclose(kept.embed_texts(["a red circle"]), first.embed_texts(["a red circle"]), atol=1e-6)


def test_other_settings_versions_and_machines_measure_again(first: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    assert kept_clip("auto", "float32") is None
    assert kept_clip("torch", "float32") is None
    keep_fastest("auto", "auto", first)
    assert kept_clip("auto", "auto") is not None
    monkeypatch.setattr("shared.clip.kept.version", lambda _: "another")
    assert kept_clip("auto", "auto") is None


@pytest.mark.parametrize("damage", ["{", "[]", json.dumps({"x": 1})])
def test_a_damaged_note_is_as_none(first: Clip, damage: str) -> None:
    ir_file_of(first.fingerprint).with_name("fastest.json").write_text(damage, encoding="utf-8")
    assert kept_clip("openvino", "float32") is None
    assert load_clip(device="cpu", engine="openvino", precision="float32").engine == "openvino"
    assert kept_clip("openvino", "float32") is not None


def test_the_bundle_that_ships_describes_the_weights_that_ship(first: Clip) -> None:
    assert _plain(read_manifest(shipped_bundle()).about) == _plain(first.about)


def _plain(about: About) -> str:
    """As a manifest says it: JSON has no tuples."""
    return json.dumps(asdict(about), sort_keys=True)
