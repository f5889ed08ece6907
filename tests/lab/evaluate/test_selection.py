"""Some points of a scenario by columns of the table, and the command behind a point."""

import csv
import json
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from cli.app import app
from console.equivalent import POINT_COLUMNS, point_command
from lab.evaluate.data import TestSet
from lab.evaluate.run import evaluate
from lab.evaluate.selection import COLUMNS, command_of, selected
from shared.errors import InvalidSetting
from tests.tools.scenarios import scenario

WHOLE = scenario(
    snr_db=[-7, 10],
    scheme=[{"name": "kbsc", "k": [16, 64]}, {"name": "raw", "k": [512]}],
    channel=[{"csi": "pilot", "settings": {"fading": "rayleigh"}}, {"csi": "none"}],
    framing=["implicit", "explicit"],
    queries=20,
)


def _parsed(command: str) -> dict[str, Any]:
    """What `semlink evaluate` takes of a command line."""
    group: Any = typer.main.get_command(app)
    _, found, _ = group.resolve_command(group.make_context("semlink", [], resilient_parsing=True), ["evaluate"])
    options: dict[str, Any] = found.make_context("evaluate", shlex.split(command)[2:]).params
    return options


def test_points_are_chosen_by_the_columns_of_the_table() -> None:
    points = WHOLE.points()
    assert selected(points, []) == points
    chosen = selected(points, ["scheme=kbsc", "k=64", "snr_db=-7.0", "csi=none"])
    assert [(one.scheme.name, one.k, one.snr_db, one.csi) for one in chosen] == [("kbsc", 64, -7.0, "none")] * 2
    assert {one.framing for one in chosen} == {"implicit", "explicit"}


@pytest.mark.parametrize(
    ("only", "said"), [("speed=3", "COLUMN=VALUE"), ("k", "there are 16, 64, 512"), ("k=no", "there are 16, 64, 512")]
)
def test_what_no_point_has_is_named(only: str, said: str) -> None:
    with pytest.raises(InvalidSetting, match=said):
        selected(WHOLE.points(), [only])


def test_the_command_of_every_row_measures_that_row_and_no_other(test_set: TestSet, tmp_path: Path) -> None:
    assert POINT_COLUMNS == COLUMNS
    command = command_of("mine.toml", data="a folder", clip=None, limit=False)
    evaluate(WHOLE, test_set, tmp_path / "whole", command=command)
    reference = json.loads((tmp_path / "whole" / "reference.json").read_text(encoding="utf-8"))
    with (tmp_path / "whole" / "results.csv").open(encoding="utf-8") as text:
        rows = list(csv.DictReader(text))
    for row in rows:
        options = _parsed(point_command(reference, row))
        assert (options["scenario"], options["data"], options["limit"]) == ("mine.toml", "a folder", False)
        (point,) = selected(WHOLE.points(), options["only"])
        assert (point.scheme.name, str(point.k), str(point.snr_db)) == (row["scheme"], row["k"], row["snr_db"])
    again = evaluate(WHOLE, test_set, tmp_path / "point", only=options["only"])
    measured = again.row(0, named=True)
    assert len(again) == 1
    assert {name: str(measured[name]) for name in ("n", "semantic_accuracy", "cosine")} == {
        name: rows[-1][name] for name in ("n", "semantic_accuracy", "cosine")
    }


def test_a_folder_of_an_older_run_gets_a_command_too() -> None:
    row = {"scheme": "a b", "k": "64", "snr_db": "-4.0", "fading": "none"}
    command = point_command({"scenario": "paper"}, row)
    assert command.startswith("semlink evaluate paper --data DATA --only 'scheme=a b' --only k=64")
    assert _parsed(command)["only"] == ["scheme=a b", "k=64", "fading=none", "snr_db=-4"]
