"""The costs on the published page of results are those of the code and its weights."""

from pathlib import Path

import pytest

from lab.report.costs import cost_in_code, published_costs, with_costs_in_code

PAGE = Path("docs/results.md").read_text(encoding="utf-8")
ROWS = list(published_costs(PAGE))


def test_every_table_of_costs_is_found() -> None:
    assert len({row.chapter for row in ROWS}) == PAGE.count("### Cost of one picture") >= 4
    assert {"nested", "label", "kbsc", "kbsc-authors", "swinjscc"} <= {row.scheme for row in ROWS}


@pytest.mark.slow
def test_published_costs_are_those_of_the_code() -> None:
    wrong = [
        f"{row.scheme} k = {row.k}: {row.cost}"
        for row in ROWS
        if row.cost != cost_in_code(row.chapter, row.scheme, row.k)
    ]
    assert not wrong, f"python -m lab.report.costs docs/results.md puts them right: {wrong}"


def test_a_cost_of_other_weights_is_put_right() -> None:
    row = next(row for row in ROWS if row.scheme == "label")
    lines = PAGE.splitlines()
    head = next(number for number in range(row.line, 0, -1) if lines[number].startswith("## "))
    page = "\n".join([lines[head], "### Cost of one picture", f"| label | {row.k} | 0 | 7 | 0.012 | 0.002 |"])
    renewed = with_costs_in_code(page).splitlines()[2]
    assert renewed == f"| label | {row.k} | {row.cost.params:,} | {row.cost.macs:,} | 0.012 | 0.002 |"
