"""Engines of the image tower: OpenVINO gives what torch gives, in any batch, and converts once."""

import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import structlog
from PIL import Image

from shared.clip import Clip, load_clip, openvino_engine
from shared.datasets.drawn import draw_batch
from shared.errors import InvalidSetting
from shared.types import Embeddings, Pixels
from tests.tools.paths import ROOT

if openvino_engine.unavailable():
    pytest.skip(openvino_engine.unavailable(), allow_module_level=True)


@pytest.fixture(scope="module")
def reference() -> Clip:
    return load_clip(device="cpu", precision="float32")


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of these tests alone, which converts once for all of them."""
    folder = tmp_path_factory.getbasetemp() / "openvino-cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder


def _openvino(precision: str) -> Clip:
    return load_clip(device="cpu", precision=precision, engine="openvino")


def _embed(clip: Clip, pictures: Pixels) -> Embeddings:
    return clip.embed_images(np.stack([clip.preprocess(Image.fromarray(picture)) for picture in pictures]))


@pytest.fixture(scope="module")
def by_torch(reference: Clip) -> tuple[Embeddings, Embeddings]:
    """Embeddings by torch of 200 queries, and of 500 items."""
    return _embed(reference, draw_batch("query", range(200))[0]), _embed(reference, draw_batch("kb", range(500))[0])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("precision", "least_cosine", "same_item"), [("float32", 1 - 1e-5, 0.995), ("bfloat16", 0.999, 0.98)]
)
def test_openvino_gives_what_torch_gives(
    reference: Clip,
    by_torch: tuple[Embeddings, Embeddings],
    precision: str,
    least_cosine: float,
    same_item: float,
) -> None:
    """The same direction and the same nearest item as torch in float32.

    Rounding to bfloat16 changes which of two items at nearly equal distance is nearer: of 2,000 drawn queries among
    2,000 items 98.8 % keep theirs in OpenVINO, and 98.8 % in torch.
    """
    clip = _openvino(precision)
    assert (clip.engine, clip.precision, clip.fingerprint) == ("openvino", precision, reference.fingerprint)
    ours, (theirs, known) = _embed(clip, draw_batch("query", range(200))[0]), by_torch
    assert (ours * theirs).sum(axis=1).min() > least_cosine
    assert np.mean(np.argmax(ours @ known.T, axis=1) == np.argmax(theirs @ known.T, axis=1)) >= same_item


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_an_embedding_does_not_depend_on_its_batch(precision: str) -> None:
    clip = _openvino(precision)
    pixels = np.random.default_rng(0).integers(0, 256, (33, 32, 32, 3), np.uint8)
    together = clip.embed_images(pixels)
    for count in (1, 2, 7, 32):
        assert np.array_equal(clip.embed_images(pixels[:count]), together[:count])


def test_the_second_start_converts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.zeros((1, 32, 32, 3), np.uint8)
    first = _openvino("float32").embed_images(pixels)
    monkeypatch.setattr(openvino_engine, "_convert", lambda *_: pytest.fail("converted again"))
    assert np.array_equal(_openvino("float32").embed_images(pixels), first)


def test_a_cache_that_cannot_be_written_is_said_and_does_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reference: Clip
) -> None:
    (tmp_path / "semlink").write_text("a file where the folder should be", encoding="utf-8")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    pixels = np.zeros((1, 32, 32, 3), np.uint8)
    with structlog.testing.capture_logs() as logs:
        found = _openvino("float32").embed_images(pixels)
    assert [log["log_level"] for log in logs if "cannot be kept" in log["event"]] == ["warning"]
    np.testing.assert_allclose(found, reference.embed_images(pixels), atol=1e-5)


def test_auto_takes_one_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_clip(device="cpu", engine="auto").engine in ("torch", "openvino")
    monkeypatch.setattr(openvino_engine, "find_spec", lambda _: None)
    assert load_clip(device="cpu", engine="auto").engine == "torch"
    with pytest.raises(InvalidSetting, match="not installed, pip install openvino"):
        _openvino("float32")


REPORTS_TO_NOBODY = """
import os, sys
from shared.clip import load_clip
os.register_at_fork(before=lambda: print("forked"))
print(load_clip(device="cpu", precision="float32", engine="openvino").engine)
print(*(name for name in sys.modules if name.startswith("openvino_telemetry.")))
"""


@pytest.mark.slow
def test_the_first_start_of_a_new_user_reports_to_nobody(tmp_path: Path) -> None:
    """OpenVINO would from its import on, by a fork that it ends with SIGTERM; the service would stop."""
    fresh = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    run = subprocess.run(
        [sys.executable, "-c", REPORTS_TO_NOBODY],
        cwd=ROOT, env=os.environ | fresh, capture_output=True, encoding="utf-8", check=True,
    )  # fmt: skip
    assert run.stdout.splitlines()[-2:] == ["openvino", ""]
    assert "forked" not in run.stdout


def test_what_this_processor_cannot_run_is_left_out_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("from the CPU plugin:\nno such instruction")

    monkeypatch.setattr("openvino.Core.compile_model", refuse)
    with structlog.testing.capture_logs() as logs:
        assert load_clip(device="cpu", precision="float32", engine="auto").engine == "torch"
    assert "no such instruction" in next(log["reason"] for log in logs if log["log_level"] == "warning")
    with pytest.raises(InvalidSetting, match="no such instruction; use engine torch"):
        _openvino("float32")


def test_an_unknown_engine() -> None:
    with pytest.raises(InvalidSetting, match="'tensorrt' is unknown; choose one of auto, torch, openvino"):
        load_clip(device="cpu", engine="tensorrt")


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_one_picture_on_one_thread_has_the_embedding_that_it_has_in_a_batch(
    monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    monkeypatch.setattr(openvino_engine, "_SHORT_SECONDS", math.inf)  # whatever this machine measures
    monkeypatch.setattr(openvino_engine, "_AS_FAST", math.inf)
    clip, pictures = _openvino(precision), draw_batch("query", range(8))[0]
    together = _embed(clip, pictures)
    np.testing.assert_array_equal(np.concatenate([_embed(clip, one[None]) for one in pictures]), together)
