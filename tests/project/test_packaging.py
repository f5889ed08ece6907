"""The wheel: what an installation without the repository gets."""

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import version

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.tools.paths import ROOT

PACKAGES = (
    "assets", "channel_proxy", "cli", "client", "console", "lab", "local", "protos", "receiver", "semlink", "shared",
    "transmitter",
)  # fmt: skip
FILES = ("LICENSE", "README.md", "pyproject.toml")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    if int(version("setuptools").partition(".")[0]) < 77:
        pytest.skip("setuptools is older than 77, which this project builds with")
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in PACKAGES:  # a copy: a build leaves folders behind, and what it finds in them goes into the next wheel
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--wheel-dir", out, source], check=True, capture_output=True)
    return zipfile.ZipFile(next(out.glob("*.whl")))


def test_holds_every_module_and_every_asset(wheel: zipfile.ZipFile) -> None:
    held = set(wheel.namelist())
    wanted = {
        str(file.relative_to(ROOT))
        for name in PACKAGES
        for file in (ROOT / name).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert wanted <= held


@pytest.mark.parametrize(
    "name",
    [
        "assets/clip-tiny/model.safetensors",
        "shared/clip/clip-tiny.json",
        "protos/semlink/v1/link.proto",
        "protos/semlink/v1/link_pb2_grpc.py",
        "client/py.typed",
        "shared/py.typed",
    ],
)
def test_holds(wheel: zipfile.ZipFile, name: str) -> None:
    assert name in wheel.namelist()


def test_holds_nothing_else(wheel: zipfile.ZipFile) -> None:
    tops = {name.partition("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)


def test_gives_the_command(wheel: zipfile.ZipFile) -> None:
    name = next(name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    assert "semlink = cli.app:main" in wheel.read(name).decode()


def test_light_install_asks_for_nothing_heavy() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {re.split(r"[^\w.-]", requirement)[0] for requirement in project["dependencies"]}
    assert not names & {"torch", "torchvision", "faiss-gpu", "faiss-cpu", "open_clip_torch", "matplotlib"}


def test_version_is_said_once() -> None:
    from shared.version import VERSION  # noqa: PLC0415

    assert version("semlink") == VERSION


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = {"light": [], "build": PROJECT["build-system"]["requires"], **PROJECT["project"]["optional-dependencies"]}


@pytest.mark.parametrize("extra", EXTRAS)
def test_a_lock_holds_what_its_extra_asks_for_with_hashes(extra: str) -> None:
    """`make lock` was run after pyproject.toml was changed."""
    text = (ROOT / "locks" / f"{extra}.txt").read_text(encoding="utf-8").replace("\\\n", " ")
    locked: dict[str, list[str]] = {}
    for line in text.splitlines():
        requirement, *hashes = line.split("--hash=sha256:")
        assert hashes, f"{line} has no hash"
        pinned = Requirement(requirement)
        locked.setdefault(canonicalize_name(pinned.name), []).append(str(pinned.specifier).removeprefix("=="))
    asked = EXTRAS[extra] + ([] if extra == "build" else PROJECT["project"]["dependencies"])
    for wanted in map(Requirement, asked):
        if wanted.name == "semlink":
            continue  # its other extras, which have locks of their own
        found = locked.get(canonicalize_name(wanted.name), [])
        assert any(wanted.specifier.contains(each) for each in found), f"locks/{extra}.txt: make lock ({wanted})"
    assert "://" not in text, "a lock names no registry"
