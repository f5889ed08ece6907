"""The tutorial of docs/tutorial/your-own-codec.md, run as it stands."""

import json
import re
import shlex
from pathlib import Path

import polars as pl
import pytest

from lab.train.common.settings import FEATURES
from shared.codecs.base.registry import codec_from_file
from shared.errors import InvalidSetting, NotFound
from tests.tools.cli import called
from tests.tools.paths import ROOT

PAGE = (ROOT / "docs/tutorial/your-own-codec.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.timeout(600)
def test_the_tutorial_works(tmp_path: Path, features: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    FEATURES.parent.mkdir()
    FEATURES.symlink_to(features)
    (tmp_path / "signs.py").write_text(*blocks("python"), encoding="utf-8")
    (tmp_path / "mine.toml").write_text(*blocks("toml"), encoding="utf-8")
    for line in "".join(blocks("shell")).splitlines():
        program, *arguments = shlex.split(line)
        assert program == "semlink"
        run = called(*arguments)
        assert run.returncode == 0, run.stderr
    rows = pl.read_csv(tmp_path / "out" / "mine" / "results.csv")
    assert rows.group_by("scheme").len().sort("scheme").rows() == [("kbsc", 8), ("signs", 8)]
    assert (rows["n"] == 500).all()
    best = rows.filter(
        pl.col("scheme") == "signs", pl.col("k") == 256, pl.col("snr_db") == 4, pl.col("fading") == "none"
    )
    assert best["semantic_accuracy"].item() > 0.5
    live = json.loads((tmp_path / "out" / "demo.json").read_text(encoding="utf-8"))
    (awgn,) = [row for row in live["rows"] if row["scenario"] == "AWGN"]
    assert awgn["semantic_accuracy"] > 0.4
    page = (tmp_path / "out" / "mine" / "results.md").read_text(encoding="utf-8")
    figures = re.findall(r"\]\((figures/.*?)\)", page)
    assert len(figures) >= 5
    for figure in figures:
        assert (tmp_path / "out" / "mine" / figure).stat().st_size > 5000


def test_a_wrong_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "codec.py"
    with pytest.raises(NotFound, match=r"codec\.py"):
        codec_from_file(f"{file}:Mine")
    file.write_text("import no_such_library\n", encoding="utf-8")
    with pytest.raises(InvalidSetting, match=r"codec\.py cannot be run: ModuleNotFoundError: .*no_such_library"):
        codec_from_file(f"{file}:Mine")
    file.write_text("from shared.codecs import Codec\n\n\nclass Mine(Codec):\n    name = 'mine'\n", encoding="utf-8")
    with pytest.raises(InvalidSetting, match=r"'Mine' .* has no lengths, default_k"):
        codec_from_file(f"{file}:Mine")
    file.write_text("class Mine: pass\n", encoding="utf-8")
    with pytest.raises(InvalidSetting, match="no codec 'Mine'"):
        codec_from_file(f"{file}:Mine")
    with pytest.raises(InvalidSetting, match="no codec 'Yours'"):
        codec_from_file(f"{file}:Yours")
