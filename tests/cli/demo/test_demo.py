"""`semlink demo`, with a link of its own and through a running one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from PIL import Image

from cli.demo.result import shown_positions
from cli.demo.setups import setups
from local.supervisor import LocalLink
from tests.tools.cli import semlink

ROW_KEYS = {
    "snr_db", "fading", "k", "cbr", "cbr_total", "semantic_accuracy", "semantic_agreement", "snr_db_achieved",
    "latency_ms", "ledger_ms",
}  # fmt: skip


def check_document(document: dict, images: int) -> None:
    assert document["images"] == images
    clean, *rows = document["rows"]
    assert (clean["snr_db"], clean["codec"], clean["csi"], clean["semantic_agreement"]) == (None, "raw", "none", 1)
    for row in document["rows"]:
        assert row.keys() >= ROW_KEYS
        assert row["latency_ms"].keys() == {"p50", "p95", "p99"}
        assert 0 <= row["semantic_accuracy"] <= 1
        assert {"access", "encode", "search", "airtime"} <= row["ledger_ms"].keys()
        assert row["genies"] == []
    assert {row["fading"] for row in rows} == {"none", "rayleigh"}


def test_demo_from_nothing_to_both_files(link: LocalLink, tmp_path: Path) -> None:
    before = {process.pid for process in psutil.process_iter()}
    kb = link.plan.knowledge_base
    command = ("demo", "--images", "6", "--snr-db", "0", "--snr-db", "10", "--kb", kb, "--out", tmp_path)
    result = semlink(*command, env=os.environ | {"COLUMNS": "80"})
    assert result.returncode == 0, result.stderr
    assert "accu-" in result.stdout
    assert "airtime (emulated)" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80 + len(str(tmp_path))
    check_document(json.loads((tmp_path / "demo.json").read_text(encoding="utf-8"), parse_constant=pytest.fail), 6)
    with Image.open(tmp_path / "demo.png") as image:
        assert image.size == (1920, 1080)
    left = [process for process in psutil.process_iter() if process.pid not in before]
    assert not [process for process in left if any(str(tmp_path) in part for part in process.cmdline())]


def test_demo_through_a_running_link_reproduces(link: LocalLink, tmp_path: Path) -> None:
    at = ("--transmitter", link.transmitter, "--channel", link.channel, "--receiver", link.receiver)
    options = ("--images", "20", "--snr-db", "-5", "--codec", "raw", "--json", "--out", tmp_path)
    first, second = (json.loads(semlink("demo", *at, *options).stdout) for _ in range(2))
    check_document(first, 20)
    assert first == json.loads((tmp_path / "demo.json").read_text(encoding="utf-8")) | {
        key: first[key] for key in ("seconds", "rows")
    }
    for one, other in zip(first["rows"], second["rows"], strict=True):
        for key in ("semantic_accuracy", "semantic_agreement", "snr_db_achieved"):
            assert one[key] == other[key]


def test_the_client_image_has_what_its_commands_import() -> None:
    """The light install and matplotlib; the extras `services` and `lab` are not there."""
    modules = ["cli.demo.command", "cli.send", "cli.up", "cli.kb.query", "cli.kb.edit", "cli.kb.maintain"]
    modules += [f"cli.channel.{name}" for name in ("recording", "settings", "watch")]
    missing = ["torch", "torchvision", "open_clip", "faiss", "safetensors", "sionna", "polars", "sklearn", "scipy"]
    missing += ["psutil", "pyarrow", "sigmf", "lightning", "jinja2", "torchmetrics"]
    code = (
        f"import importlib, sys; sys.modules.update(dict.fromkeys({missing})); "
        f"[importlib.import_module(name) for name in {modules}]"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=False)
    assert run.returncode == 0, run.stderr


def test_every_row_has_its_own_fixed_draws() -> None:
    rows = setups((-5, 0, 5), {})
    assert len({row.options["stream"] for row in rows}) == len(rows) == 7
    assert len({row.options["seed"] for row in rows}) == 1
    assert all(row.options["counter"] == 0 for row in rows)


@pytest.mark.parametrize("count", [1, 2, 10, 200])
def test_shown_pictures_are_spread_over_all(count: int) -> None:
    positions = shown_positions(count)
    assert len(set(positions)) == len(positions) == min(10, count)
    assert positions[0] == 0
    assert positions[-1] == count - 1
