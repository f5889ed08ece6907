"""The loaded link: its ledger over the pictures in flight, and another installation that takes turns."""

import pytest

from lab.bench import LinkBench, bench_link
from tests.tools.paths import ROOT


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_link_takes_turns_with_another_and_has_a_ledger_at_each_load() -> None:
    found = bench_link(
        LinkBench(concurrency=2, seconds=0.5, turns=1, against=str(ROOT), curve=True, source="first:1:drawn")
    )
    assert not found["failures"]
    assert found["ratios_to_other"] == [round(found["ratio_to_other"], 3)]
    assert [point["concurrency"] for point in found["curve"]] == [1, 2]
    for point in found["curve"]:
        assert {"access", "wire", "encode", "search"} <= point["stages_ms"].keys()
        assert 0 < point["p50"] <= point["p95"]
