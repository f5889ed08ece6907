"""Runs a scenario: what is not finished yet, in parallel processes."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import faiss
import polars as pl

from lab.evaluate.bounds import upper_bound_of
from lab.evaluate.data import TestSet
from lab.evaluate.leak_test import check_dead_channel
from lab.evaluate.run_point import measure, nothing_sent
from lab.evaluate.scenario import Point, Scenario, SchemeSpec
from lab.evaluate.scheme import CannotExist, Scheme
from lab.evaluate.schemes import make_scheme
from lab.evaluate.scorer import Scorer
from lab.evaluate.selection import selected
from lab.evaluate.table import PointStore, Row, write_table
from lab.evaluate.workers import end_with_parent
from shared.device import hardware, use_threads
from shared.types import Progress


class _Task(NamedTuple):
    """A point, and the key under which its row is kept."""

    point: Point
    key: str


def evaluate(
    scenario: Scenario,
    test_set: TestSet,
    out: Path,
    *,
    jobs: int = 1,
    best_classifier: float = math.nan,
    report: Progress | None = None,
    only: Sequence[str] = (),
    command: str = "",
) -> pl.DataFrame:
    """Measure every point of a scenario into `out`, and return the table.

    Points that are finished already are kept: `out/points` knows them by all that they depend on. `results.csv` and
    `results.parquet` are written anew after each point. best_classifier: accuracy A of the upper bound, which is NaN
    without it. report: told (points done, points in all). only: see `lab.evaluate.selection.selected`; the table then
    has these points alone. command: what measures the whole scenario, for `reference.json`.
    """
    points = selected(scenario.points(), only)
    store = PointStore(out / "points")
    _write_reference(out, scenario, test_set, best_classifier, command)
    schemes = _fingerprints(points, test_set)
    tasks = [
        _Task(point, store.key(point, schemes[point.scheme.name, point.k], test_set.fingerprint)) for point in points
    ]
    rows = {task.key: row for task in tasks if (row := store.get(task.key))}
    tell = report or (lambda *_: None)
    tell(len(rows), len(tasks))
    for key, row in _measured([task for task in tasks if task.key not in rows], test_set, out, jobs):
        store.put(key, row)
        rows[key] = row
        write_table(_bounded(tasks, rows, test_set, best_classifier), out)
        tell(len(rows), len(tasks))
    return write_table(_bounded(tasks, rows, test_set, best_classifier), out)


def _bounded(tasks: Sequence[_Task], rows: Mapping[str, Row], test_set: TestSet, best_classifier: float) -> list[Row]:
    """Rows of what is finished, each with its upper bound."""
    classes = len(test_set.names)
    return [
        replace(rows[task.key], upper_bound=upper_bound_of(task.point, best_classifier, classes))
        for task in tasks
        if task.key in rows
    ]


def _measured(tasks: Sequence[_Task], test_set: TestSet, out: Path, jobs: int) -> Iterator[tuple[str, Row]]:
    """Rows in the order in which they are finished."""
    if jobs == 1 or len(tasks) <= 1:
        _scorers[:] = [Scorer(test_set)]
        _trusted.cache_clear()  # weights or pictures may be others than those of the last call
        yield from ((task.key, _work(task.point)) for task in tasks)
        return
    folder = out / "test-set"
    folder.mkdir(parents=True, exist_ok=True)
    test_set.save(folder)
    # Spawned, not forked: torch and faiss hold threads.
    with ProcessPoolExecutor(min(jobs, len(tasks)), get_context("spawn"), _start, (folder,)) as pool:
        futures = {pool.submit(_work, task.point): task.key for task in tasks}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _write_reference(out: Path, scenario: Scenario, test_set: TestSet, best_classifier: float, command: str) -> None:
    """What the rows are held against, for the report: `reference.json`."""
    about = {
        "scenario": scenario.name,
        "title": scenario.title,
        "command": command,
        "machine": hardware(),
        "clip": test_set.clip.model,
        "clip_fingerprint": test_set.clip_fingerprint,
        "queries": len(test_set.queries.ids),
        "items": len(test_set.items.ids),
        "classes": len(test_set.names),
        "source_values": test_set.source_values,
        "nearest_accuracy": Scorer(test_set).nearest_accuracy,
        "classifier_accuracy": None if math.isnan(best_classifier) else best_classifier,
    }
    (out / "reference.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")


_scorers: list[Scorer] = []


def _start(folder: Path) -> None:
    """Get a worker ready: one thread each, since there are as many workers as the user wants cores used."""
    end_with_parent()
    use_threads(1)
    faiss.omp_set_num_threads(1)
    _scorers[:] = [Scorer(TestSet.load(folder))]


def _work(point: Point) -> Row:
    (scorer,) = _scorers
    try:
        scheme = _trusted(point.scheme, point.k)
        return replace(measure(point, scheme, scorer), **scheme.cost._asdict())
    except CannotExist:
        return nothing_sent(point, scorer.test_set)


@cache
def _trusted(spec: SchemeSpec, k: int) -> Scheme:
    """A scheme that knows nothing over a dead channel."""
    (scorer,) = _scorers
    scheme = make_scheme(spec, k, scorer.test_set)
    check_dead_channel(spec.name, scheme, scorer)
    return scheme


def _fingerprints(points: Sequence[Point], test_set: TestSet) -> dict[tuple[str, int], str]:
    """Of each scheme and length; `none` where it has no form."""
    found = {}
    for spec, k in {(point.scheme.name, point.k): (point.scheme, point.k) for point in points}.values():
        try:
            found[spec.name, k] = make_scheme(spec, k, test_set).fingerprint
        except CannotExist:
            found[spec.name, k] = "none"
    return found
