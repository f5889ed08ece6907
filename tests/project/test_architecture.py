import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tools.paths import ROOT

HEAVY = ("torch", "torchvision", "timm", "open_clip", "faiss", "sionna")
PACKAGES = (
    "assets", "channel_proxy", "cli", "client", "console", "lab", "local", "protos", "receiver", "semlink", "shared",
    "transmitter",
)  # fmt: skip
LIGHT = ("channel_proxy.__main__", "client", "semlink", "cli.app", "cli.demo.run", "local.health", "local.supervisor")
PROBE = """
import importlib, sys
names, heavy = (argument.split() for argument in sys.argv[1:])
for name in names:
    importlib.import_module(name)
    found = set(sys.modules) & set(heavy)
    assert not found, f"{name} loads {found}"
"""
HELP = """
import sys
from cli.app import app
lines, heavy = sys.argv[1].split(","), set(sys.argv[2].split())
for line in lines:
    try: app(line.split(), standalone_mode=False)
    except BaseException: pass
    found = set(sys.modules) & heavy
    assert not found, f"{line!r} loads {found}"
"""


def test_layers_hold() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    run = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, encoding="utf-8", check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_light_modules_load_nothing_heavy() -> None:
    """One after the other in one process: what one of them loads stays loaded."""
    ran_well(PROBE, " ".join(LIGHT), " ".join(HEAVY))


def test_help_loads_nothing_heavy() -> None:
    """Help and shell completion answer while one types."""
    ran_well(HELP, ",--help,send --help,up --help,kb --help", " ".join([*HEAVY, "matplotlib"]))


def ran_well(code: str, *arguments: str) -> None:
    command = [sys.executable, "-c", code, *arguments]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=False)
    assert run.returncode == 0, run.stderr


def test_a_start_loads_no_more_than_it_uses() -> None:
    """Both services, clip-tiny's image tower and all codecs: what is slow to import waits for its first use."""
    code = (
        "import sys, receiver.service, transmitter.service\n"
        "from shared.clip import load_clip; from shared.codecs import CodecShelf\n"
        "clip = load_clip(device='cpu', precision='float32')\n"
        "assert len(CodecShelf('cpu', clip.fingerprint).load_all()) > 20\n"
        "print('loaded:', *(set(sys.modules) & set(sys.argv[1:])))"
    )
    lazy = ("torchvision", "timm", "open_clip", "sionna", "matplotlib", "sympy", "torch._dynamo", "lab")
    run = subprocess.run(
        [sys.executable, "-c", code, *lazy], cwd=ROOT, capture_output=True, encoding="utf-8", check=True
    )
    assert run.stdout.splitlines()[-1].split() == ["loaded:"]


def test_every_package_says_that_it_is_typed_and_is_a_package() -> None:
    """A folder of modules without __init__ is invisible to import-linter."""
    for name in PACKAGES:
        for folder in {file.parent for file in (ROOT / name).rglob("*.py")}:
            assert (folder / "__init__.py").exists(), f"{folder} has no __init__.py"
        if name != "assets":
            assert (ROOT / name / "py.typed").exists(), f"{name} has no py.typed"


@pytest.mark.parametrize("package", [*PACKAGES, "tests"])
def test_files_of_text_are_utf_8_whatever_the_locale(package: str) -> None:
    """A library may change the locale of a process; what is written under one must be readable under another."""
    unnamed = []
    for file in (ROOT / package).rglob("*.py"):
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
                named = {keyword.arg for keyword in call.keywords}
                text = call.func.attr in {"read_text", "write_text"} or {"text", "check"} <= named
                if text and "encoding" not in named:
                    unnamed.append(f"{file}:{call.lineno}")
    assert not unnamed, "these name no encoding"


def test_files_are_short_and_tests_share_by_tools_alone() -> None:
    for package in (*PACKAGES, "tests"):
        for file in (ROOT / package).rglob("*.py"):
            text = file.read_text(encoding="utf-8")
            assert "_pb2" in file.name or text.count("\n") <= 300, f"{file} has over 300 lines"
            for line in text.splitlines() if package == "tests" else ():
                assert not re.match(r"from tests\.[\w.]*\.test_\w+ import", line), f"{file}: {line}"
