"""The comparison end to end, with tiny networks of the real classes; and the networks' interfaces."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch

from lab.vqa.answerer import VqaAnswerer
from lab.vqa.network import Shape, VqaCodec
from lab.vqa.vision import LAYERS, load_vision
from shared.errors import NotFound
from tests.tools.cli import printed
from tests.tools.vqa import save_clipseg, save_llava, write_easy_vqa

PICTURES = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))


def test_a_clip_of_open_clip_has_hidden_states() -> None:
    vision = load_vision("open_clip:ViT-B-32", 64)
    states = vision.see(PICTURES)
    assert [each.shape for each in states] == [(2, vision.cells**2, vision.channels)] * LAYERS
    assert vision.read(["how many?", "what is it?"]).shape == (2, vision.words)


def test_only_the_question_changes_an_aligned_code() -> None:
    torch.manual_seed(1)
    hidden, questions = [torch.rand(2, 64, 8) for _ in range(LAYERS)], torch.eye(2, 16)
    for aligned in (True, False):
        codec = VqaCodec(Shape(8, 4, 3, 64), LAYERS, 8, 16, aligned=aligned).eval()
        for layer in codec.layers:
            if aligned:
                torch.nn.init.normal_(layer.modulate.weight)
        one, other = (codec.encode(hidden, each) for each in (questions, questions.flip(0)))
        assert torch.equal(one, other) != aligned
        assert codec.decode(codec.quantize(one).values).shape == (2, 3, 64, 64)


def test_transformers(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    vision = load_vision(str(save_clipseg(tmp_path / "clipseg")), 64)
    assert vision.cells == 8
    assert [each.shape for each in vision.see(PICTURES)] == [(2, 64, 16)] * LAYERS
    questions = ["what colour is the heart", "how many"]
    assert not torch.allclose(*vision.read(questions))
    answerer = VqaAnswerer(str(save_llava(tmp_path / "llava")))
    pixels = (PICTURES * 255).byte().permute(0, 2, 3, 1).numpy()
    assert answerer.answer(pixels, questions) == answerer.answer(pixels, questions)
    pictures = PICTURES.clone().requires_grad_()
    thought = answerer.think(pictures, questions)
    thought.sum().backward()
    assert pictures.grad is not None
    assert np.isfinite(pictures.grad.numpy()).all()
    assert pictures.grad.abs().sum() > 0


def test_the_whole_comparison(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    folder = tmp_path / "out"
    found = printed(
        "paper-uoisc", "--data", write_easy_vqa(tmp_path / "data"), "--vision", save_clipseg(tmp_path / "clipseg"),
        "--answerer", save_llava(tmp_path / "llava"), "--split", "all", "--side", 64, "--tokens", 4, "--segments", 3,
        "--out", folder, "--device", "cpu", "--trial",
    )  # fmt: skip
    schemes = [row["scheme"] for row in found["rows"]]
    assert schemes == ["uo-isc", "without-alignment", "without-intent", "without-adversary", "jpeg", "webp"]
    assert {row["bits"] for row in found["rows"]} == {4 * 4 * 3 * 6}
    assert all(0 <= row["match_low"] <= row["match"] <= row["match_high"] <= 1 for row in found["rows"])
    with (folder / "uo-isc.csv").open() as file:
        assert [row["scheme"] for row in csv.DictReader(file)] == schemes


def test_a_network_that_is_not_here_is_not_fetched(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    with pytest.raises(NotFound, match="there is no folder"):
        load_vision(str(tmp_path / "nothing"), 64)
    with pytest.raises(NotFound, match="--download fetches"):
        load_vision("nobody/nothing", 64)
