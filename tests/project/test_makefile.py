"""Commands of the Makefile, as `make` would run them."""

import shutil
import subprocess

import pytest

from tests.tools.paths import ROOT

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="no make here")


@pytest.mark.parametrize(
    ("target", "command"),
    [
        (["fuzz"], "-m tests.fuzz 60"),
        (["fuzz", "SEED=3", "INPUTS=10", "GROUPS=files"], "-m tests.fuzz 60 files --seed 3 --runs 10"),
        (["chaos"], "-m tests.chaos 10"),
        (["chaos", "MINUTES=1", "SEED=3"], "-m tests.chaos 1 --seed 3"),
        (["soak"], "-m tests.soak 1"),
    ],
    ids=" ".join,
)
def test_what_is_left_out_is_not_said(target: list[str], command: str) -> None:
    found = subprocess.run(["make", "-n", *target], cwd=ROOT, capture_output=True, encoding="utf-8", check=True)
    assert found.stdout.splitlines()[-1].split("python ")[-1].split() == command.split()
