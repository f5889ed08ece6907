"""One group of targets under atheris (libFuzzer): inputs that reach new lines are kept and changed further.

    python -m tests.fuzz.guided GROUP SECONDS CORPUS SEED [RUNS]

The first byte of an input chooses its target in the group. An input that is too much goes to tests/fuzz/crashes, from
where the tests take it.
"""

import sys
from collections.abc import Iterator
from hashlib import sha256
from inspect import isclass, isfunction
from pathlib import Path
from random import Random
from types import FunctionType, ModuleType
from typing import Any, Final

import atheris

from tests.fuzz.messages import METHODS, request_of
from tests.fuzz.mutation import mutated_bytes
from tests.fuzz.table import GROUPS
from tests.fuzz.target import CRASHES, attempt

_PARSERS: Final = (
    "client.recording", "lab.evaluate.scenario", "receiver.framing", "receiver.kb_service", "receiver.decoder",
    "shared.datasets", "shared.frame", "shared.phy", "shared.quantity", "shared.rpc.incoming", "shared.security",
    "shared.wire", "numpy.lib", "tarfile", "tomllib", "zipfile", "csv", "json", "sigmf", "PIL.BmpImagePlugin",
    "PIL.GifImagePlugin", "PIL.JpegImagePlugin", "PIL.PngImagePlugin", "PIL.TiffImagePlugin", "PIL.WebPImagePlugin",
)  # fmt: skip
"""Modules whose lines count as coverage, and all below them."""
_LONGEST: Final = 1 << 16  # bytes
_MESSAGES: Final = "messages"


def main(group: str, seconds: str, corpus: str, seed: str, runs: str = "-1") -> None:
    """Fuzz until time is up, or so many inputs were tried; exit status 77 where one was too much."""
    targets = GROUPS[group]
    write_seeds(group, Path(corpus))
    for function in {each for name, module in sys.modules.items() if is_parser(name) for each in functions_of(module)}:
        atheris.instrument_func(function)

    for target in targets:
        target.warm()

    def one(data: bytes) -> None:
        target = targets[data[0] % len(targets)] if data else targets[0]
        try:
            attempt(target, data[1:])
        except BaseException as error:
            kept = CRASHES / target.name / sha256(data[1:]).hexdigest()[:12]
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_bytes(data[1:])
            print(f"\n{target.name}: {type(error).__name__}, by {kept}", file=sys.stderr)
            raise

    limits = [
        f"-seed={seed}",
        f"-max_total_time={seconds}",
        f"-runs={runs}",
        f"-max_len={_LONGEST}",
        "-timeout=60",
        "-rss_limit_mb=4096",
    ]
    arguments = [sys.argv[0], *limits, "-print_final_stats=1", "-artifact_prefix=/dev/null", corpus]
    custom = {"custom_mutator": mutate} if group == _MESSAGES else {}
    atheris.Setup(arguments, one, **custom)
    atheris.Fuzz()


def is_parser(name: str) -> bool:
    """Whether the lines of a module count."""
    return any(name == one or name.startswith(f"{one}.") for one in _PARSERS)


def functions_of(holder: ModuleType | type) -> Iterator[FunctionType]:
    """The functions that a module or a class defines, those of its classes too."""
    here = holder.__name__ if isinstance(holder, ModuleType) else holder.__module__
    for value in list(vars(holder).values()):
        found: Any = getattr(value, "__func__", getattr(value, "fget", value))
        if getattr(found, "__module__", None) != here:
            continue
        if isfunction(found):
            yield found
        elif isclass(found) and found is not holder:
            yield from functions_of(found)


def write_seeds(group: str, corpus: Path) -> None:
    """Put all seeds of a group where libFuzzer looks for them."""
    corpus.mkdir(parents=True, exist_ok=True)
    for place, target in enumerate(GROUPS[group]):
        for data in target.known():
            if len(data) < _LONGEST:
                whole = bytes([place]) + data
                (corpus / sha256(whole).hexdigest()[:16]).write_bytes(whole)


def mutate(data: bytes, longest: int, seed: int) -> bytes:
    """Half of the requests by their fields, all else as libFuzzer does."""
    rng = Random(seed)
    if len(data) > 2 and data[0] % len(GROUPS[_MESSAGES]) == 0 and rng.random() < 0.5:
        kind = request_of(METHODS[data[1] % len(METHODS)])
        return (data[:2] + mutated_bytes(data[2:], kind, rng))[:longest]
    found: bytes = atheris.Mutate(data, longest)
    return found


if __name__ == "__main__":
    main(*sys.argv[1:])
