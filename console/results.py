"""The tab Results: tables of a folder of the laboratory, curves of two columns, and the command behind each point."""

import csv
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from nicegui import events, ui

from console import charts, equivalent
from console.gallery import Gallery
from console.link import Link
from console.parts import ErrorLine, labelled, picture, tagged
from shared.files import said

_FIRST_COLUMNS: Final = 10
_DEFAULTS: Final = {"x": "snr_db", "y": "semantic_accuracy"}
_EACH: Final = ("scheme", "k", "fading", "csi")
_ROW: Final = "row"
"""Number of a row in its table, by which a point of a curve finds it."""
_EMPTY: Final = ("", "NaN")
_CHOICE: Final = """<q-checkbox v-model="props.selected" dense :aria-label="'command of row ' + props.row.row" />"""
_ASK: Final = "ask.csv"
Rows = list[dict[str, str]]


def tables(folder: Path) -> list[str]:
    """The tables of `semlink evaluate` below a folder, by their place in it."""
    found = [file for name in ("results.csv", _ASK) for file in folder.rglob(name)]
    return sorted(str(file.relative_to(folder)) for file in found)


def read_table(file: Path) -> Rows:
    """The rows of a table."""
    with file.open(newline="", encoding="utf-8") as text:
        return [{_ROW: str(number), **row} for number, row in enumerate(csv.DictReader(text))]


def read_reference(file: Path) -> dict[str, Any]:
    """What is known of the run that wrote a table; empty where nothing is."""
    try:
        found = json.loads((file.parent / "reference.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def command_of(file: Path, reference: Mapping[str, Any], row: Mapping[str, str]) -> str:
    """The command that measures a row of a table again."""
    return "semlink evaluate ask --out out/point" if file.name == _ASK else equivalent.point_command(reference, row)


def filtered(rows: Rows, words: str) -> Rows:
    """The rows in which every word stands, as a part of some value; a word COLUMN=VALUE wants that value there."""
    wanted = [word.partition("=") for word in words.lower().split()]
    return [row for row in rows if all(_has(row, *word) for word in wanted)]


def _has(row: Mapping[str, str], name: str, equal: str, value: str) -> bool:
    if equal:
        return value in {row.get(name, "").lower(), _short(row.get(name, "")).lower()}
    return any(name in one.lower() for column, one in row.items() if column != _ROW)


def _short(value: str) -> str:
    """A value as it is shown: a number with at most four places."""
    try:
        return f"{float(value):.4g}" if "." in value else value
    except ValueError:
        return value


def curves(rows: Rows, x: str, y: str, each: Sequence[str]) -> dict[str, Any]:
    """A chart with a curve for each combination of values of the columns `each`; what is no number is left out.

    The name of a point is the number of its row.
    """
    found: dict[str, list[tuple[float, float, str]]] = {}
    for row in rows:
        try:
            point = float(row[x]), float(row[y]), row[_ROW]
        except ValueError:
            continue
        if math.isfinite(point[0]) and math.isfinite(point[1]):
            found.setdefault(" ".join(row[name] for name in each), []).append(point)
    chart: dict[str, Any] = charts.lines([], y)
    chart["series"] = [
        {"type": "line", "id": place, "name": name, "symbolSize": 8,
         "data": [{"value": [a, b], "name": row} for a, b, row in sorted(points)],
         "color": charts.COLOURS[place % len(charts.COLOURS)]}
        for place, (name, points) in enumerate(found.items())
    ]  # fmt: skip
    chart["xAxis"] |= {"name": x, "axisLabel": {"color": charts.GREY}}
    chart["tooltip"] = {"trigger": "item", "formatter": "{a}: {c}"}
    chart["legend"] |= {"type": "scroll"}
    return chart


class ResultsTab:
    """One page's tab."""

    def __init__(self, link: Link, _: Gallery) -> None:
        self._folder = link.results
        self._rows: Rows = []
        self._reference: dict[str, Any] = {}
        found = tables(self._folder) if self._folder.is_dir() else []
        if not found:
            text = f"no results.csv below {self._folder}: make results, semlink evaluate, or --results DIR"
            tagged(ui.label(text), "results-none")
            return
        with ui.card().classes("w-full"):
            self._controls(found)
        self._count = tagged(ui.label().classes("text-sm opacity-70"), "results-count")
        self._chart = ui.echart({"series": []}, on_point_click=self._point_clicked).classes("w-full h-96")
        tagged(self._chart, "results-chart")
        self._point = tagged(ui.card().classes("w-full"), "results-point")
        self._shown = ui.table(rows=[], row_key=_ROW, pagination=20, selection="single", on_select=self._row_chosen)
        tagged(self._shown.classes("w-full").props("dense flat bordered"), "results-rows")
        self._shown.add_slot("body-selection", _CHOICE)
        self._figures = ui.column().classes("w-full")
        self._open()

    def _controls(self, found: list[str]) -> None:
        with ui.row().classes("w-full items-center gap-4"):
            self._file = ui.select(found, value=found[0], label="table", on_change=self._open).classes("field-wide")
            tagged(self._file, "results-table")
            self._filter = ui.input("filter", placeholder="nested snr_db=0", on_change=self._draw).props(
                "clearable debounce=200"
            )
            tagged(self._filter.classes("field-wide"), "results-filter")
            self._filter.tooltip("rows with all these words; COLUMN=VALUE for the value of one column")
            self._axes = {
                name: ui.select([], label=name, on_change=self._draw).classes("field-wide") for name in _DEFAULTS
            }
            self._each = ui.select([], multiple=True, label="a curve for each", on_change=self._draw)
            self._each.classes("field-wide")
            again = labelled(ui.button(icon="refresh", on_click=self._open).props("flat dense"), "read again")
            again.tooltip("read the table again")
        self._error = ErrorLine("results-error")

    @property
    def _at(self) -> Path:
        return self._folder / str(self._file.value)

    def _open(self) -> None:
        try:
            self._rows = read_table(self._at)
        except (OSError, ValueError) as error:
            self._error.say(f"{self._at}: {said(error) if isinstance(error, OSError) else error}")
            return
        self._error.say("")
        self._reference = read_reference(self._at)
        columns = [name for name in self._rows[0] if name != _ROW] if self._rows else []
        for name, axis in self._axes.items():
            wanted = _DEFAULTS[name]
            axis.set_options(columns, value=wanted if wanted in columns else next(iter(columns), None))
        several = [name for name in _EACH if name in columns and len({row[name] for row in self._rows}) > 1]
        self._each.set_options(columns, value=several or columns[:1])
        self._draw()
        self._show_figures()

    def _draw(self) -> None:
        rows, axes = (
            filtered(self._rows, str(self._filter.value or "")),
            [str(one.value) for one in self._axes.values()],
        )
        self._count.set_text(f"{len(rows)} of {len(self._rows)} rows; choose a point or a row for its command")
        self._show_point(None)
        self._draw_curves(rows, *axes)
        shown = [name for name in rows[0] if name != _ROW][:_FIRST_COLUMNS] if rows else []
        self._shown.columns = [
            {"name": name, "label": name, "field": name, "sortable": True, "align": "left"} for name in shown
        ]
        self._shown.rows = [{name: _short(value) for name, value in row.items()} for row in rows]
        self._shown.selected = []

    def _draw_curves(self, rows: Rows, x: str, y: str) -> None:
        drawn = bool(rows) and x in rows[0] and y in rows[0]
        self._chart.set_visibility(drawn)
        if drawn:
            self._chart.options.clear()
            self._chart.options.update(curves(rows, x, y, self._each.value or ()))
            self._chart.update()

    def _point_clicked(self, event: events.EChartPointClickEventArguments) -> None:
        self._shown.selected = [row for row in self._shown.rows if row[_ROW] == event.name]
        self._show_point(event.name)

    def _row_chosen(self, event: events.TableSelectionEventArguments) -> None:
        self._show_point(event.selection[0][_ROW] if event.selection else None)

    def _show_point(self, number: str | None) -> None:
        """Show what measured a row, and all of its values."""
        self._point.clear()
        self._point.set_visibility(number is not None)
        if number is None:
            return
        row = self._rows[int(number)]
        with self._point:
            ui.label("The command behind this point").classes("text-lg")
            command = command_of(self._at, self._reference, row)
            tagged(ui.code(command, language="bash").classes("w-full semlink-code"), "results-command")
            values = " · ".join(
                f"{name} {_short(value)}" for name, value in row.items() if value not in _EMPTY and name != _ROW
            )
            ui.label(values).classes("text-sm opacity-70")

    def _show_figures(self) -> None:
        """Offer the figures that `semlink report` drew beside the table; they are loaded when they are opened."""
        self._figures.clear()
        files = sorted((self._at.parent / "figures").glob("*.png"))
        if not files:
            return
        with self._figures:
            opened = ui.expansion(f"{len(files)} figures of semlink report").classes("w-full")
            tagged(opened, "results-figures")
            opened.on_value_change(lambda event: _draw_figures(opened, files if event.value else ()))


def _draw_figures(place: ui.expansion, files: Sequence[Path]) -> None:
    place.clear()
    with place, ui.row().classes("w-full gap-4"):
        for file in files:
            with ui.card().classes("half"):
                ui.label(file.stem).classes("text-sm opacity-70")
                picture(file.read_bytes(), file.stem, "w-full bg-white rounded")
