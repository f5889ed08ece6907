"""Commands that are loaded by name: help is light and quick, what is missing is named, completion and logs work."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import structlog

from cli.lazy import load
from shared.errors import NotFound
from tests.tools.cli import called
from tests.tools.paths import ROOT

HEAVY = {
    "torch",
    "torchvision",
    "faiss",
    "open_clip",
    "timm",
    "sionna",
    "scipy",
    "matplotlib",
    "client",
    "numpy",
    "grpc",
}
RUN = """
import sys, time
sys.argv[0] = "semlink"
from cli.app import main
try: main()
finally: print("\\n", time.process_time(), *sys.modules, file=sys.stderr)
"""
TYPER = "import time, pydantic, typer._adapters, typer.rich_utils; print(time.process_time())"
OVER_TYPER = 2.0
"""Most processor time of help, over that of importing what Typer itself needs: a quiet machine takes 0.2 s for that."""


def semlink(*arguments: str, **environment: str) -> tuple[str, float, set[str]]:
    """What a command prints, the processor time that it takes, in seconds, and the modules that it loads."""
    run = subprocess.run(
        [sys.executable, "-c", RUN, *arguments],
        cwd=ROOT, env=os.environ | environment, capture_output=True, encoding="utf-8", check=True,
    )  # fmt: skip
    seconds, *modules = run.stderr.splitlines()[-1].split()
    return run.stdout, float(seconds), set(modules)


@pytest.mark.parametrize("group", [[], ["channel"], ["bench"], ["kb"], ["train"]], ids=" ".join)
def test_help_of_a_group_is_light_and_quick(group: list[str]) -> None:
    """Processor time, as a ratio, since other work on the machine slows both; a slow one may try again, twice."""
    for _ in range(3):
        _, seconds, modules = semlink(*group, "--help")
        assert not modules & HEAVY
        typer = subprocess.run([sys.executable, "-c", TYPER], capture_output=True, encoding="utf-8", check=True)
        if seconds < OVER_TYPER * float(typer.stdout):
            return
    pytest.fail(f"help took {seconds} s, Typer alone {typer.stdout.strip()} s")


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("semlink ev", ["evaluate"]),
        ("semlink bench k", ["kb"]),
        ("semlink kb s", ["search", "snapshot", "snapshots"]),
        ("semlink kb search --pic", ["--picture"]),
    ],
)
def test_shell_completion(typed: str, offered: list[str]) -> None:
    count = str(len(typed.split()) - 1)
    printed, _, modules = semlink(_SEMLINK_COMPLETE="complete_bash", COMP_WORDS=typed, COMP_CWORD=count)
    assert sorted(printed.split()) == offered
    assert "torch" not in modules


def test_a_package_that_is_not_installed_is_named_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "needs_foreign.py").write_text("import no_such_package.part", encoding="utf-8")
    with pytest.raises(NotFound, match=r"needs no_such_package, .* pip install 'semlink\[lab\]'"):
        load("needs_foreign:command")
    (tmp_path / "needs_own.py").write_text("import cli.no_such_module", encoding="utf-8")
    with pytest.raises(ModuleNotFoundError, match=r"cli\.no_such_module"):
        load("needs_own:command")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    (tmp_path / "draws.py").write_text("import matplotlib", encoding="utf-8")
    with pytest.raises(NotFound, match=r"pip install 'semlink\[plot\]'"):
        load("draws:command")


def test_loaded_parts_log_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    load("shared.units:decibels")
    structlog.get_logger().info("a line of the log")
    assert "a line of the log" in capsys.readouterr().err


def test_paths_begin_with_the_home_folder_and_none_is_not_the_current_one(tmp_path: Path) -> None:
    """A shell leaves `--kb=~/kb` as it is, and makes nothing of a variable that is not set."""
    for given, said in (("~/kb", f"no knowledge base in {tmp_path}/kb"), ("", "empty path"), ("s3://a", "curl")):
        ended = called("kb", "info", given, env={"HOME": str(tmp_path)})
        assert ended.returncode == 2
        assert said in ended.stderr
