"""`semlink paper`: from pictures to a page with a CLIP of the user's choice, and its weights over the sockets.

The pictures are the first four of each drawn category and every training takes a few steps, so nothing is asserted of
accuracy. With ViT-B-32 the same takes minutes on two cores: `semlink paper --clip ViT-B-32 --weights FILE --trial`.
"""

import shutil
from dataclasses import replace
from itertools import islice
from pathlib import Path

import polars as pl
import pytest
from safetensors import safe_open

from client import SemLink
from lab.data.features import ClipChoice
from lab.evaluate.data import open_test_set
from lab.evaluate.run import evaluate
from lab.evaluate.scenario import Scenario, load_scenario
from lab.paper import TRIAL_QUERIES, Paper, compare, train
from lab.train.common.data import open_data
from lab.train.common.settings import EmbeddingSettings
from lab.train.registry import TRAINERS
from local.supervisor import LinkPlan, LocalLink
from shared.codecs import codec_class
from shared.codecs.base.weight_files import WEIGHTS_DIR, use_weights_dir, weights_path
from shared.datasets import open_source
from shared.errors import Mismatch, NotFound

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]  # trainings on a busy machine

SCENARIO = """
title = "One point for each codec"
snr_db = [10]

[[channel]]
name = "awgn"
csi = "none"
settings = { fading = "none" }

[[scheme]]
name = "nested"
decision = "fusion"
k = [64]

[[scheme]]
name = "label"
decision = "fusion"
k = [64]

[[scheme]]
name = "kbsc"
k = [64]

[[scheme]]
name = "vq-digital"
k = [64]
"""


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No folder of weights; what a test sets is taken away at its end."""
    monkeypatch.setenv(WEIGHTS_DIR, "")


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Paper:
    folder = tmp_path_factory.mktemp("paper")
    (folder / "one.toml").write_text(SCENARIO, encoding="utf-8")
    trial = Paper(ClipChoice(), "drawn", folder / "out", scenario=str(folder / "one.toml"), device="cpu", trial=True)
    train(trial)
    return trial


def written(paper: Paper) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in paper.weights.rglob("*.safetensors")}


def test_every_codec_is_trained_once_on_that_clip(paper: Paper) -> None:
    before = written(paper)
    assert {Path(path).parent.name for path in before} == {
        name for name, trainer in TRAINERS.items() if trainer.trial is not None
    }
    clip = open_test_set(paper.source, paper.clip, paper.features).clip_fingerprint
    for path in before:
        with safe_open(path, framework="pt") as file:
            assert file.metadata()["clip_fingerprint"] == clip
    train(paper)
    assert written(paper) == before
    (paper.weights / "label" / "made-by.txt").write_text("CLIP c0ffee\n", encoding="utf-8")
    train(paper)
    after = written(paper)
    assert {Path(path).parent.name for path in before if after[path] != before[path]} == {"label"}


def test_the_comparison_uses_those_weights_and_writes_a_page(paper: Paper, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, int]] = []
    table = compare(paper, lambda done, total: told.append((done, total)))
    assert told[-1] == (4, 4)
    assert table["scheme"].to_list() == ["nested", "label", "kbsc", "vq-digital"]
    assert (table["n"] == TRIAL_QUERIES).all()
    assert table["upper_bound"].is_finite().all()
    assert (paper.out / "results.md").read_text(encoding="utf-8").count("--trial") == 1
    trained = evaluated(paper)
    monkeypatch.setenv(WEIGHTS_DIR, "")
    shipped = evaluated(paper)
    assert (trained["cosine"] < shipped["cosine"]).all()  # a few steps against a whole training


def evaluated(paper: Paper) -> pl.DataFrame:
    """The comparison again, into a folder of its own."""
    test_set = open_test_set(paper.source, paper.clip, paper.features)
    return evaluate(paper.compared, test_set, paper.out / "again")


def test_weights_of_another_clip_are_refused(paper: Paper, tmp_path: Path) -> None:
    """Features of ViT-B-32 on one side, codecs of clip-tiny on the other."""
    use_weights_dir(paper.weights)
    vit = replace(open_test_set(paper.source, paper.clip, paper.features), clip_fingerprint="d33e70525da89a4c")
    for scheme in paper.compared.scheme:
        alone: Scenario = paper.compared.model_copy(update={"scheme": (scheme,)})
        with pytest.raises(Mismatch, match="d33e70525da89a4c"):
            evaluate(alone, vit, tmp_path)


def test_shipped_weights_stand_behind_those_of_ones_own(tmp_path: Path) -> None:
    use_weights_dir(tmp_path)
    shipped = weights_path("kbsc", "k64.safetensors")
    assert shipped.parent.parent.name == "assets"
    (tmp_path / "kbsc").mkdir()
    (tmp_path / "kbsc" / "k64.safetensors").write_bytes(shipped.read_bytes())
    assert weights_path("kbsc", "k64.safetensors").is_relative_to(tmp_path)
    with pytest.raises(NotFound, match="semlink train kbsc"):
        weights_path("kbsc", "k17.safetensors")
    with pytest.raises(NotFound, match="nowhere"):
        use_weights_dir(tmp_path / "nowhere")


def test_a_link_sends_with_those_weights(paper: Paper, tmp_path: Path, drawn_pngs: list[tuple[str, bytes]]) -> None:
    flags = ["--weights-dir", str(paper.weights)]
    plan = LinkPlan(
        tmp_path / "kb", tmp_path / "logs", "first:1:drawn", flags={"transmitter": flags, "receiver": flags}
    )
    use_weights_dir(paper.weights)
    fingerprint = codec_class("kbsc").load(64, "cpu").fingerprint
    with LocalLink(plan) as link, SemLink(link.transmitter, timeout=60) as client:
        offered = {(spec.codec, spec.k): spec.fingerprint for spec in client.describe().codecs}
        assert offered["kbsc", 64] == fingerprint
        for name in ("kbsc", "nested", "label"):
            assert client.send(drawn_pngs[0][1], codec=name, k=64).codec == name


def test_test_pictures_among_those_to_learn_from_are_found(tmp_path: Path) -> None:
    """Twenty drawn pictures in each part; then a query is put among the train pictures, under another name."""
    settings = EmbeddingSettings(
        name="any", data=str(tmp_path / "data"), cache=tmp_path / "cache", drawn=False, device="cpu"
    )
    for split in ("train", "query", "kb"):
        for number, picture in enumerate(islice(open_source("drawn", split), 20)):
            folder = tmp_path / "data" / split / picture.label
            folder.mkdir(parents=True, exist_ok=True)
            picture.image().save(folder / f"{number}.png")
    _, data = open_data(settings)
    assert len(data.train.labels) == 16
    planted = next((tmp_path / "data" / "query").rglob("*.png"))
    shutil.copy(planted, tmp_path / "data" / "train" / planted.parent.name / "holiday.png")
    with pytest.raises(Mismatch, match="have a twin on the other side"):
        open_data(settings)


def test_the_first_pictures_of_each_label() -> None:
    some = open_source("first:3:drawn", "kb")
    labels = [picture.label for picture in some]
    assert len(some) == len(labels) == 300
    assert {labels.count(label) for label in labels} == {3}
    assert load_scenario("paper").points()
