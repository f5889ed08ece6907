"""A parser of outside bytes as a target of the fuzzers: what may come out of it, and what it may cost.

bytes --run--> nothing, or a SemLinkError with a clear text; within the processor time and memory of its budget
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from time import process_time
from typing import Final

from shared.errors import SemLinkError

CRASHES: Final = Path(__file__).with_name("crashes")
"""Inputs that were too much once: CRASHES/TARGET/NAME."""
_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_TEXT: Final = range(8, 20_000)


class Broken(AssertionError):
    """A target did what none may do."""


@dataclass(frozen=True)
class Target:
    """One parser. run: takes the bytes. seeds: inputs to begin with. seconds: of processor time, mebibytes: of memory,
    that one input may cost.
    """

    name: str
    run: Callable[[bytes], object]
    seeds: Callable[[], Iterable[bytes]]
    seconds: float = 2.0
    mebibytes: int = 64

    def warm(self) -> None:
        """Load what is loaded at first use, which is not the cost of an input."""
        for data in self.known():
            with suppress(SemLinkError):
                self.run(data)

    @cache  # noqa: B019 - a target lives as long as its process
    def known(self) -> list[bytes]:
        """All seeds: those that are made, and those that were found."""
        folder = CRASHES / self.name
        found = sorted(folder.iterdir()) if folder.is_dir() else []
        return [*self.seeds(), *(path.read_bytes() for path in found)]


def attempt(target: Target, data: bytes, *, timed: bool = True) -> str:
    """Give a target one input; its refusal, empty for none. Raises what is no SemLinkError, and Broken for too much.

    timed: hold it to its processor time too.
    """
    _forget_peak()
    before, start = _memory("VmRSS"), process_time()
    refusal = ""
    try:
        target.run(data)
    except SemLinkError as error:
        refusal = str(error)
        if len(refusal) not in _TEXT:
            raise Broken(f"{target.name}: no clear text but {refusal[:200]!r}") from error
    seconds, mebibytes = process_time() - start, (_memory("VmHWM") - before) / 1024
    if timed and seconds > target.seconds:
        raise Broken(f"{target.name}: {seconds:.1f} s of processor time, at most {target.seconds:g} s")
    if mebibytes > target.mebibytes:
        raise Broken(f"{target.name}: {mebibytes:.0f} MiB, at most {target.mebibytes} MiB")
    return refusal


def _forget_peak() -> None:
    """Let Linux count the highest resident memory anew."""
    if _CLEAR.exists():
        _CLEAR.write_text("5", encoding="ascii")


def _memory(name: str) -> int:
    """A line of the process's status, KiB; 0 on systems without."""
    if not _STATUS.exists():
        return 0
    text = _STATUS.read_text(encoding="ascii")
    return int(text.partition(f"{name}:")[2].split(maxsplit=1)[0])
