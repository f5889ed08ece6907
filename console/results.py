"""The tab Results: tables of a folder of the laboratory, filterable, and curves of any two columns."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from nicegui import ui

from console import charts
from console.gallery import Gallery
from console.link import Link
from console.parts import tagged
from shared.files import said

_FIRST_COLUMNS: Final = 10
_DEFAULTS: Final = {"x": "snr_db", "y": "semantic_accuracy"}
_EACH: Final = ("scheme", "k", "fading", "csi")
Rows = list[dict[str, str]]


def tables(folder: Path) -> list[str]:
    """The files results.csv below a folder, by their place in it."""
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("results.csv"))


def read_table(file: Path) -> Rows:
    """The rows of a table."""
    with file.open(newline="", encoding="utf-8") as text:
        return list(csv.DictReader(text))


def _rounded(row: dict[str, str]) -> dict[str, str]:
    """A row as it is shown: numbers with at most four places."""
    return {name: _short(value) for name, value in row.items()}


def _short(value: str) -> str:
    try:
        return f"{float(value):.4g}" if "." in value else value
    except ValueError:
        return value


def curves(rows: Rows, x: str, y: str, each: Sequence[str]) -> dict[str, Any]:
    """A chart with a curve for each combination of values of the columns `each`; what is no number is left out."""
    found: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        try:
            point = float(row[x]), float(row[y])
        except ValueError:
            continue
        found.setdefault(" ".join(row[name] for name in each), []).append(point)
    chart: dict[str, Any] = charts.lines([], y)
    chart["series"] = [
        {"type": "line", "name": name, "data": sorted(points), "color": charts.COLOURS[place % len(charts.COLOURS)]}
        for place, (name, points) in enumerate(found.items())
    ]
    chart["xAxis"]["name"] = x
    chart["tooltip"] = {"trigger": "item", "formatter": "{a}: {c}"}
    chart["legend"] |= {"type": "scroll"}
    return chart


class ResultsTab:
    """One page's tab."""

    def __init__(self, link: Link, _: Gallery) -> None:
        self._folder = link.results
        self._rows: Rows = []
        found = tables(self._folder) if self._folder.is_dir() else []
        if not found:
            text = f"no results.csv below {self._folder}: make results, semlink evaluate, or --results DIR"
            tagged(ui.label(text), "results-none")
            return
        with ui.row().classes("w-full items-center gap-4"):
            self._file = ui.select(found, value=found[0], label="table", on_change=self._open).classes("min-w-[12rem]")
            self._filter = tagged(ui.input("filter: words that a row has", on_change=self._draw), "results-filter")
            self._axes = {
                name: ui.select([], label=name, on_change=self._draw).classes("min-w-[10rem]") for name in _DEFAULTS
            }
            self._each = ui.select([], multiple=True, label="a curve for each", on_change=self._draw)
            self._each.classes("min-w-[14rem]")
        self._place = ui.column().classes("w-full")
        self._open()

    def _open(self) -> None:
        try:
            self._rows = read_table(self._folder / str(self._file.value))
        except OSError as error:
            ui.notify(said(error), type="negative")
            return
        columns = list(self._rows[0]) if self._rows else []
        for name, axis in self._axes.items():
            wanted = _DEFAULTS[name]
            axis.set_options(columns, value=wanted if wanted in columns else next(iter(columns), None))
        self._each.set_options(columns, value=[name for name in _EACH if name in columns])
        self._draw()

    def _filtered(self) -> Rows:
        words = str(self._filter.value or "").lower().split()
        return [row for row in self._rows if all(word in " ".join(row.values()).lower() for word in words)]

    def _draw(self) -> None:
        rows, axes = self._filtered(), {name: str(axis.value) for name, axis in self._axes.items()}
        self._place.clear()
        with self._place:
            tagged(ui.label(f"{len(rows)} of {len(self._rows)} rows"), "results-count")
            if rows and all(name in rows[0] for name in axes.values()):
                chart = ui.echart(curves(rows, axes["x"], axes["y"], self._each.value or ()))
                tagged(chart.classes("w-full h-96"), "results-chart")
            shown = list(rows[0])[:_FIRST_COLUMNS] if rows else []
            columns = [{"name": name, "label": name, "field": name, "sortable": True} for name in shown]
            table = ui.table(rows=[_rounded(row) for row in rows], columns=columns, pagination=20)
            table.classes("w-full").props("dense")
