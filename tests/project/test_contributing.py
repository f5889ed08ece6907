"""The walk-throughs of CONTRIBUTING.md: carried out step by step on one copy of the project, then run."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tools.paths import ROOT

BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
WRITE = re.compile(r"Write\s+`([^`]+)`")
INSERT = re.compile(r"In\s+`([^`]+)`,\s+(above|below)\s+`([^`]+)`", re.IGNORECASE)
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## How to add an? ([^\n]+)\n(.*?)(?=^## |\Z)", TEXT, re.DOTALL | re.MULTILINE))
PYTEST = ("-m", "pytest", "-q", "--noconftest", "-p", "no:cacheprovider")
NOT_COPIED = shutil.ignore_patterns("__pycache__", ".*", "out", "runs", "build", "assets", "docs")


def carry_out(section: str, root: Path) -> list[Path]:
    """Do what each paragraph before a block of code says; the files that were touched."""
    touched, before = [], 0
    for block in BLOCK.finditer(section):
        text = section[before : block.start()]
        code = re.sub(r"(?m)^ {3}", "", block[2])  # it stands in a list
        if block[1] != "shell":
            touched.append(write(text, code, root) if WRITE.search(text) else insert(text, code, root))
        before = block.end()
    return touched


def write(text: str, code: str, root: Path) -> Path:
    path = root / WRITE.search(text)[1]
    assert not path.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(code, encoding="utf-8")
    return path


def insert(text: str, code: str, root: Path) -> Path:
    name, side, anchor = INSERT.findall(text)[-1]
    path = root / name
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    places = [i for i, line in enumerate(lines) if line.strip().startswith(anchor)]
    assert places, f"{name} has no line that begins with {anchor}"
    lines.insert(places[0] + (side == "below"), code)
    path.write_text("".join(lines), encoding="utf-8")
    return path


def commands(section: str) -> list[list[str]]:
    """The arguments of `semlink` in the section's shell blocks."""
    lines = "".join(code for language, code in BLOCK.findall(section) if language == "shell").splitlines()
    return [shlex.split(line)[1:] for line in lines if line.strip()]


def run(root: Path, *command: str) -> None:
    done = subprocess.run(
        [sys.executable, *command],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
        capture_output=True,
        encoding="utf-8",
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project."""
    root = tmp_path_factory.mktemp("copy") / "project"
    shutil.copytree(ROOT, root, ignore=NOT_COPIED)
    (root / "assets").symlink_to(ROOT / "assets")
    return root


@pytest.fixture(scope="module")
def touched(root: Path) -> dict[str, list[Path]]:
    """The files that each walk-through touched on the copy."""
    files = {name: carry_out(section, root) for name, section in SECTIONS.items()}
    protos = sorted(str(path.relative_to(root)) for path in root.glob("protos/semlink/v1/*.proto"))
    run(root, "-m", "grpc_tools.protoc", "-I.", "--python_out=.", "--grpc_python_out=.", *protos)
    run(root, "-m", "tests.tools.write_channel_options")
    return files


def test_every_walk_through_is_found() -> None:
    assert {"codec", "channel stage", "command", "knowledge-base engine", "trainer"} == set(SECTIONS)


def test_their_own_tests_pass(root: Path, touched: dict[str, list[Path]]) -> None:
    tests = {name: [path for path in files if path.name.startswith("test_")] for name, files in touched.items()}
    assert all(tests.values()), tests
    run(root, *PYTEST, *(str(path) for files in tests.values() for path in files))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("command", [c for section in SECTIONS.values() for c in commands(section)], ids=" ".join)
def test_its_commands_work(command: list[str], root: Path, touched: dict[str, list[Path]]) -> None:
    run(root, "-m", "cli.app", *command)


def test_the_new_stage_passes_the_tests_of_all_stages(root: Path, touched: dict[str, list[Path]]) -> None:
    files = (f"tests/shared/phy/channel/test_{name}.py" for name in ("link", "replay"))
    run(root, *PYTEST, "-k", "dc_offset or stage or thread", *files)


def test_the_new_setting_goes_over_the_wire(root: Path, touched: dict[str, list[Path]]) -> None:
    program = (
        "from shared.wire.channel import settings_from_wire, settings_to_wire;"
        "from shared.phy import ChannelSettings;"
        "asked = ChannelSettings(dc_offset=0.25);"
        "assert settings_from_wire(settings_to_wire(asked)) == asked"
    )
    run(root, "-c", program)


def test_the_examples_have_the_style_of_the_project(root: Path, touched: dict[str, list[Path]]) -> None:
    files = sorted({str(path) for paths in touched.values() for path in paths if path.suffix == ".py"})
    run(root, "-m", "ruff", "check", *files)
    run(root, "-m", "ruff", "format", "--check", *files)
