"""The way of one picture: every stage has a floor, and another checkout takes its turns."""

from pathlib import Path

import pytest

from lab.bench.echo import Echo
from lab.bench.installation import Installation
from lab.bench.latency import LatencyBench, bench_latency
from shared.errors import NotFound
from tests.tools.paths import ROOT


def test_the_echo_answers_each_message() -> None:
    with Echo() as echo:
        assert len(echo.ping_pongs(3)) == 3


def test_a_folder_without_semlink_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="give the folder of a checkout"):
        Installation(str(tmp_path), tmp_path, "drawn")


def test_what_is_neither_folder_nor_commit_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="'no-such-commit' is neither a folder nor a commit"):
        Installation("no-such-commit", tmp_path, "drawn")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_every_stage_has_its_row() -> None:
    found = bench_latency(LatencyBench(pictures=5, turns=1, against=str(ROOT), source="first:1:drawn"))
    whole = {"alone_ms", "link_ms", "ratio", "other_ms", "ratio_to_other"}
    stages = (
        "preprocess",
        "encode",
        "compress",
        "channel, equalize",
        "decode",
        "search",
        "access, wire, other",
        "total",
    )
    for name in (*stages, "total"):
        assert found[name].keys() == whole | ({"paced_ms"} if name.startswith("access") else set())
        assert all(value > 0 for value in found[name].values())
