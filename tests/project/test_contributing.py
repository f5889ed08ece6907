"""The example of a channel stage in CONTRIBUTING.md: carried out step by step on a copy, then run."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tools.paths import ROOT

BLOCK = re.compile(r"```\w+\n(.*?)```", re.DOTALL)
WRITE = re.compile(r"Write `([^`]+)`")
INSERT = re.compile(r"In `([^`]+)`,\s+(above|below)\s+`([^`]+)`", re.IGNORECASE)


def carry_out(section: str, root: Path) -> list[Path]:
    """Do what each paragraph before a block of code says; the files that were touched."""
    touched, before = [], 0
    for block in BLOCK.finditer(section):
        text = section[before : block.start()]
        code = re.sub(r"(?m)^ {3}", "", block.group(1))  # it stands in a list
        touched.append(write(text, code, root) if WRITE.search(text) else insert(text, code, root))
        before = block.end()
    return touched


def write(text: str, code: str, root: Path) -> Path:
    path = root / WRITE.search(text).group(1)
    assert not path.exists()
    path.write_text(code)
    return path


def insert(text: str, code: str, root: Path) -> Path:
    name, side, anchor = INSERT.findall(text)[-1]
    path = root / name
    lines = path.read_text().splitlines(keepends=True)
    places = [i for i, line in enumerate(lines) if line.strip().startswith(anchor)]
    assert places, f"{name} has no line that begins with {anchor}"
    lines.insert(places[0] + (side == "below"), code)
    path.write_text("".join(lines))
    return path


def run(root: Path, *command: str) -> None:
    done = subprocess.run(
        [sys.executable, *command],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def followed(tmp_path_factory) -> Path:
    """A copy of the project whose owner did what the section says."""
    root = tmp_path_factory.mktemp("copy")
    shutil.copy(ROOT / "pyproject.toml", root)
    for part in ("shared", "protos", "client", "tests"):
        shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns("__pycache__"))
    text = (ROOT / "CONTRIBUTING.md").read_text()
    section = text.split("## How to add a channel stage")[1].split("\n## ")[0]
    assert len(carry_out(section, root)) == 8
    protos = sorted(str(path.relative_to(root)) for path in root.glob("protos/semlink/v1/*.proto"))
    run(root, "-m", "grpc_tools.protoc", "-I.", "--python_out=.", "--grpc_python_out=.", *protos)
    return root


def test_the_example_passes_its_own_test_and_those_of_all_stages(followed):
    names = ("dc_offset", "link", "replay")
    files = (f"tests/test_channel_{name}.py" for name in names)
    run(followed, "-m", "pytest", "-q", "--noconftest", "-k", "dc_offset or stage or thread", *files)


def test_the_example_has_the_style_of_the_house(followed):
    names = ("dc_offset", "registry", "settings")
    files = ("client/options.py", "tests/test_channel_dc_offset.py", *(f"shared/phy/{name}.py" for name in names))
    run(followed, "-m", "ruff", "check", *files)
    run(followed, "-m", "ruff", "format", "--check", *files)


def test_the_new_setting_goes_over_the_wire(followed):
    program = (
        "from shared.wire.channel import settings_from_wire, settings_to_wire;"
        "from shared.phy import ChannelSettings;"
        "asked = ChannelSettings(dc_offset=0.25);"
        "assert settings_from_wire(settings_to_wire(asked)) == asked"
    )
    run(followed, "-c", program)
