"""The costs on a published page of results, held against the code's own.

What a codec costs is counted from its weights, so it changes with them; the page's accuracies do not have to be
measured anew for it. `python -m lab.report.costs PAGE` puts the code's figures in place; measured times stay.
"""

import re
from argparse import ArgumentParser
from collections.abc import Iterator
from functools import cache
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lab.data.features import ClipChoice
from lab.evaluate.cost import Cost, cost_of
from lab.evaluate.kbsc_authors import KbscAuthors
from lab.evaluate.scenario import Scenario, load_scenario
from lab.evaluate.scheme import Setting
from lab.evaluate.schemes import SCHEMES, find_codec
from shared.codecs import QueryCodec

_ROW = re.compile(r"\| (?P<scheme>[\w-]+) \| (?P<k>\d+) \| (?P<params>[\d,]+) \| (?P<macs>[\d,]+) \|(?P<times>.*)")
_TABLE = "### Cost of one picture"


class Published(NamedTuple):
    """A row of a table of costs. line: its number on the page, from 0. chapter: the title of its scenario."""

    line: int
    chapter: str
    scheme: str
    k: int
    cost: Cost


def published_costs(page: str) -> Iterator[Published]:
    """The rows of all tables of costs on a page of `semlink report`."""
    chapter, inside = "", False
    for number, line in enumerate(page.splitlines()):
        if line.startswith("## "):
            chapter = line.removeprefix("## ")
        if line.startswith("#"):
            inside = line == _TABLE
        elif inside and (row := _ROW.fullmatch(line)):
            params, macs = (int(row[name].replace(",", "")) for name in ("params", "macs"))
            yield Published(number, chapter, row["scheme"], int(row["k"]), Cost(params, macs))


def cost_in_code(chapter: str, scheme: str, k: int) -> Cost:
    """What a scheme of a scenario costs by the code. Raises KeyError for a chapter or scheme that is not there."""
    spec = next((each for each in _scenarios()[chapter].scheme if each.name == scheme), None)
    if spec is None:
        raise KeyError(f"{chapter}: {scheme}")
    return _cost(spec.codec, k)


def with_costs_in_code(page: str) -> str:
    """The page with the code's parameters and multiply-accumulates in its tables of costs."""
    lines = page.splitlines()
    for found in published_costs(page):
        cost, row = cost_in_code(found.chapter, found.scheme, found.k), _ROW.fullmatch(lines[found.line])
        assert row is not None
        lines[found.line] = f"| {found.scheme} | {found.k} | {cost.params:,} | {cost.macs:,} |{row['times']}"
    return "\n".join(lines) + "\n"


@cache
def _scenarios() -> dict[str, Scenario]:
    folder = resources.files("lab.experiments") / "evaluation"
    names = [Path(str(file)).stem for file in folder.iterdir() if str(file).endswith(".toml")]
    return {scenario.title: scenario for scenario in map(load_scenario, names)}


@cache
def _cost(codec: str, k: int) -> Cost:
    if codec == "kbsc-authors":
        blank = Setting(codec, ClipChoice(), np.zeros((1, 512), np.float32), np.zeros(1, np.int64))
        return KbscAuthors(k, blank).cost
    if codec in SCHEMES and (codec.endswith("-ldpc") or codec.endswith("-mosaic")):
        return Cost(0, 0)  # files of pictures: nothing was learned
    loaded = find_codec(codec).load(k, "cpu")
    assert not isinstance(loaded, QueryCodec)  # `semlink evaluate ask` compares those
    return cost_of(loaded)


if __name__ == "__main__":
    parser = ArgumentParser(description="Count the costs that a page of results tells anew, from the code.")
    parser.add_argument("page", type=Path, nargs="+", help="a page by `semlink report`, such as docs/results.md")
    for page in parser.parse_args().page:
        page.write_text(with_costs_in_code(page.read_text(encoding="utf-8")), encoding="utf-8")
