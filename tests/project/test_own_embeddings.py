"""The tutorial of docs/tutorial/your-own-embeddings.md, run as it stands, with a ViT-B/32 of random weights."""

import re
import shlex
from pathlib import Path

import numpy as np
import open_clip
import polars as pl
import pytest
import torch
from PIL import Image

from client.client import SemLink
from local.supervisor import LinkPlan, LocalLink
from shared.errors import Mismatch
from tests.tools.cli import called
from tests.tools.paths import ROOT

PAGE = (ROOT / "docs/tutorial/your-own-embeddings.md").read_text(encoding="utf-8")
_FEW = {"train": ["--rounds", "1", "--clusters", "2", "--unlabelled"]}
"""So that it takes seconds."""


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def photographs(folder: Path) -> None:
    """Sixty pictures of three labels: a colour and coarse noise."""
    rng = np.random.default_rng(0)
    for number in range(60):
        place = folder / ("beach", "tower", "market")[number % 3]
        place.mkdir(parents=True, exist_ok=True)
        colour = np.full((8, 8, 3), 60) + 120 * np.eye(3)[number % 3]
        pixels = np.clip(colour + rng.normal(0, 20, colour.shape), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).resize((64, 64)).save(place / f"{number:03d}.png")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_from_photographs_to_the_running_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    photographs(tmp_path / "photos")
    torch.manual_seed(0)
    torch.save(open_clip.create_model("ViT-B-32").state_dict(), tmp_path / "vit.pt")
    (tmp_path / "mine.toml").write_text(*blocks("toml"), encoding="utf-8")
    for line in "".join(blocks("shell")).splitlines():
        _, *arguments = shlex.split(line)
        run = called(*arguments, *_FEW.get(arguments[0], []))
        assert run.returncode == 0, (line, run.stderr[-2000:])
    rows = pl.read_csv(tmp_path / "out" / "mine" / "results.csv")
    assert rows.group_by("scheme").len().sort("scheme").rows() == [("nested", 4), ("raw", 2)]
    assert "How well it does" in (tmp_path / "out" / "weights" / "nested" / "README.md").read_text(encoding="utf-8")
    with np.load(tmp_path / "out" / "photos.npz") as arrays:
        embedding, made_by = arrays["embeddings"][0], str(arrays["clip_fingerprint"])
    clip = ["--clip", "ViT-B-32", "--weights", str(tmp_path / "vit.pt")]
    flags = [*clip, "--clip-engine", "torch", "--weights-dir", str(tmp_path / "out" / "weights")]
    plan = LinkPlan(
        knowledge_base=tmp_path / "out" / "kb",
        directory=tmp_path / "logs",
        source=None,
        flags={"transmitter": [*flags, "--precision", "float32", "--batch-size", "1"], "receiver": flags},
    )
    with LocalLink(plan) as running, SemLink(running.transmitter, timeout=120) as link:
        assert link.describe().clip_fingerprint == made_by
        delivery = link.send(embedding=embedding, clip_fingerprint=made_by, codec="nested", k=256, snr_db=30)
        assert (delivery.codec, delivery.cbr != delivery.cbr) == ("nested", True)
        assert not {"preprocess", "encode"} & {entry.stage for entry in delivery.ledger}
        with pytest.raises(Mismatch, match="made by CLIP 0123"):
            link.send(embedding=embedding, clip_fingerprint="0123456789abcdef")
