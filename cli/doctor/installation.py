"""Checks of this installation and this machine; nothing has to run."""

import os
import platform
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import metadata
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement

from cli.doctor.checks import Finding, fault, fine, note
from shared.version import VERSION

_FAISS: Final = ("faiss-cpu", "faiss-gpu", "faiss-gpu-cu12")
_LITTLE_DISK_BYTES, _NO_DISK_BYTES = 2 << 30, 200 << 20
_FEW_FILES: Final = 256
_COARSE_SECONDS: Final = 1e-4
_WEIGHTS_DIR: Final = "SEMLINK_WEIGHTS_DIR"


def versions() -> Iterator[Finding]:
    """Python, SemLink, and every package that SemLink asks for."""
    yield fine("python", f"{platform.python_version()} at {sys.executable}")
    yield fine("semlink", f"{VERSION} at {Path(str(files('semlink'))).parent}")
    requirements = [Requirement(text) for text in metadata.requires("semlink") or ()]
    extras = metadata.metadata("semlink").get_all("Provides-Extra") or ()
    yield from _group("packages", requirements, "", "semlink")
    for extra in extras:
        yield from _group(f"extra {extra}", requirements, extra, f"'semlink[{extra}]'")
    several = [name for name in _FAISS if _version(name)]
    if len(several) > 1:
        remedy = f"pip uninstall {' '.join(several)}, then pip install 'semlink[services]'"
        yield fault("faiss", f"{' and '.join(several)} overwrite one another", remedy)


def _group(check: str, requirements: list[Requirement], extra: str, install: str) -> Iterator[Finding]:
    """One finding of what SemLink asks for without an extra, or with this one."""
    wanted = [one for one in requirements if one.name != "semlink" and _asked(one, extra)]
    if not wanted:
        return
    have = {one: _version(one.name) for one in wanted}
    absent = [one.name for one, version in have.items() if version is None]
    wrong = [
        f"{one.name} {version} (asked for: {one.specifier})"
        for one, version in have.items()
        if version is not None and not one.specifier.contains(version, prereleases=True)
    ]
    remedy = f"pip install {install}"
    if wrong or (absent and not extra):
        yield fault(check, ", ".join([*wrong, *(f"{name} is not installed" for name in absent)]), remedy)
    elif absent:
        yield note(check, f"not installed: {', '.join(absent)}", f"where it is needed: {remedy}")
    else:
        yield fine(check, f"all {len(wanted)} installed, of the right versions")


def _asked(requirement: Requirement, extra: str) -> bool:
    """Whether it is asked for with this extra and not without it, or, for the extra "", without any."""
    marker = requirement.marker
    without = marker is None or marker.evaluate({"extra": ""})
    return without if not extra else not without and marker is not None and marker.evaluate({"extra": extra})


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def devices() -> Iterator[Finding]:
    """Where CLIP, codecs and index can run."""
    if find_spec("torch") is None:
        yield note("devices", "no torch: client only", "for the services: pip install 'semlink[services]'")
        return
    import torch  # noqa: PLC0415 - takes seconds, and a light install has none

    from shared.device import hardware  # noqa: PLC0415 - loads torch

    yield fine("devices", f"{hardware()}; torch {torch.__version__}")
    if Path("/dev/nvidia0").exists() and not torch.cuda.is_available():
        remedy = "install a driver as new as this build of torch asks for, or a build of torch for the driver"
        yield fault("devices", "there is an NVIDIA GPU, but torch cannot use it", remedy)
    engines = [name for name in ("torch", "openvino") if find_spec(name) is not None]
    yield fine("engines of CLIP", ", ".join(engines))
    if find_spec("faiss") is not None:
        import faiss  # noqa: PLC0415 - takes long, and a light install has none

        yield fine("index", f"faiss {faiss.__version__}, {faiss.get_num_gpus()} GPUs")


def weights() -> Iterator[Finding]:
    """Every file of shipped weights, and of the folder of weights of one's own, can be read."""
    own = os.environ.get(_WEIGHTS_DIR)
    if own and not Path(own).is_dir():
        yield fault("weights", f"{_WEIGHTS_DIR} = {own}: there is no such folder", f"unset {_WEIGHTS_DIR}, or mend it")
    if find_spec("safetensors") is None:
        yield note("weights", "not looked at: a client needs none")
        return
    for folder in [Path(str(files("assets"))), *([Path(own)] if own and Path(own).is_dir() else [])]:
        yield from _weights_in(folder)


def _weights_in(folder: Path) -> Iterator[Finding]:
    from safetensors import SafetensorError, safe_open  # noqa: PLC0415 - a light install has none

    found = sorted(folder.rglob("*.safetensors"))
    broken = []
    for file in found:
        try:
            with safe_open(file, framework="np"):
                pass
        except (SafetensorError, OSError) as error:
            broken.append(f"{file}: {error}")
    if broken:
        yield fault("weights", "; ".join(broken), "install SemLink again, or train these weights: semlink train --help")
    elif not found:
        yield fault("weights", f"none in {folder}", "install SemLink again, or train some: semlink train --help")
    else:
        codecs = ", ".join(sorted({file.relative_to(folder).parts[0] for file in found}))
        yield fine("weights", f"{len(found)} files in {folder}: {codecs}")


def clock() -> Iterator[Finding]:
    """The clock that the ledger measures with, and that of the calendar."""
    steady = time.get_clock_info("perf_counter")
    if not steady.monotonic or steady.resolution > _COARSE_SECONDS:
        remedy = "measure on another machine: latencies of this one mean little"
        yield note("clock", f"durations are measured in steps of {steady.resolution:g} s", remedy)
    now = datetime.now(UTC)
    installed = Path(str(files("semlink"))).stat().st_mtime
    if now.timestamp() < installed:
        yield fault("clock", f"it is {now:%Y-%m-%d %H:%M} UTC, before SemLink was installed", "set the clock")
    else:
        yield fine("clock", f"{now:%Y-%m-%d %H:%M:%S} UTC, steps of {steady.resolution:g} s")


def disk(folder: Path) -> Iterator[Finding]:
    """Space and rights where a run writes, and what the system lets a process do."""
    there = next(place for place in [folder.absolute(), *folder.absolute().parents] if place.exists())
    free = shutil.disk_usage(there).free
    text, remedy = f"{free / 2**30:.1f} GiB free at {there}", "free some space, or choose another folder with --out"
    if free < _NO_DISK_BYTES:
        yield fault("disk", text, remedy)
    else:
        yield fine("disk", text) if free >= _LITTLE_DISK_BYTES else note("disk", text, remedy)
    yield _may_write("permissions", there, "choose a folder of yours with --out, or change its rights")
    shared = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir())
    yield _may_write("permissions", shared, "set XDG_RUNTIME_DIR to a folder that you may write")
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if 0 <= most < _FEW_FILES:
        yield fault("open files", f"a process may open {most}", f"ulimit -n {_FEW_FILES * 4}")
    else:
        yield fine("open files", f"a process may open {most}")


def _may_write(check: str, folder: Path, remedy: str) -> Finding:
    try:
        with tempfile.TemporaryFile(dir=folder):
            return fine(check, f"{folder} can be written")
    except OSError as error:
        return fault(check, f"{folder} cannot be written: {error.strerror}", remedy)
