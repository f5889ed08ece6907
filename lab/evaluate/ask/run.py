"""`semlink evaluate ask`: pictures for questions, error-free and over channels, into one table.

Each point is kept when it is measured, so an interrupted run goes on.
"""

import json
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lab.evaluate.ask.follow_ups import follow_ups
from lab.evaluate.ask.measures import Examiner, Found, figures, interval
from lab.evaluate.ask.points import REFERENCE, SCENES, AskLab, AskPoint, points
from lab.evaluate.ask.questions import Exam
from lab.evaluate.ask.senders import Sent, answers_sent, sent_at
from shared.codecs.base.contract import fingerprint_of
from shared.errors import DataLoss
from shared.files import make_directory, replacing
from shared.types import Doubles, Ints, Progress


def evaluate_ask(folder: Path, report: Progress) -> pl.DataFrame:
    """Measure what is missing, and write `ask.csv` of all points, and `follow-ups.csv`, into the folder."""
    lab, wanted, rows = AskLab.load(), list(points()), []
    measured = folder / "points"
    make_directory(measured)
    measuring = _Measuring(lab)
    for done, point in enumerate(wanted):
        report(done, len(wanted))
        name = fingerprint_of([lab.fingerprint(point.scheme).encode(), repr(point).encode()])
        file = measured / f"{name}.json"
        if not file.exists():
            with replacing(file) as draft:
                draft.write_text(json.dumps(measuring.row(point)), encoding="utf-8")
        rows.append(_read(file))
    more = folder / "follow-ups.csv"
    if not more.exists():
        asked_more = follow_ups(lab, Exam.of("seen", SCENES["seen"], lab.judge, lab.witness))
        with replacing(more) as draft:
            pl.DataFrame(asked_more).write_csv(draft)
    report(len(wanted), len(wanted))
    table = pl.DataFrame(rows, infer_schema_length=None)
    with replacing(folder / "ask.csv") as draft:
        table.write_csv(draft)
    return table


class _Measuring:
    """Measures points; keeps what those that others are compared with have found."""

    def __init__(self, lab: AskLab) -> None:
        self._lab = lab
        self._exam = cache(lambda split, scenes: Exam.of(split, scenes, lab.judge, lab.witness))
        self._examiner = cache(lambda split, scenes: Examiner(self._exam(split, scenes), lab.judge, lab.witness))
        self._compared: dict[AskPoint, Found] = {}

    def row(self, point: AskPoint) -> dict[str, Any]:
        """The row of a point."""
        exam = self._exam(point.split, point.scenes)
        found, sent = self._found(point)
        row = asdict(figures(exam, found))
        kinds = {f"match_{kind}": value for kind, value in row.pop("by_kind").items()}
        own = {**asdict(point), "bits_sent": sent.bits, "k": sent.k, "cbr": sent.cbr, "cbr_total": sent.cbr_total}
        return own | {"exists": sent.exists} | row | kinds | self._gains(point, found, exam.asked.scene)

    def _found(self, point: AskPoint) -> tuple[Found, Sent]:
        exam = self._exam(point.split, point.scenes)
        if point.scheme == "answer-digital":
            return answers_sent(exam, point)
        sent = sent_at(self._lab, exam, point)
        assert sent.pixels is not None
        examiner = self._examiner(point.split, point.scenes)
        return examiner.found(sent.pixels, off_query=point.snr_db is None), sent

    def _gains(self, point: AskPoint, found: Found, scene: Ints) -> dict[str, float]:
        """Differences to the scheme that it is compared with, at equal bits, with intervals."""
        if point.scheme not in REFERENCE or point.snr_db is not None:
            return {}
        other = AskPoint(**{**asdict(point), "scheme": REFERENCE[point.scheme]})
        if other not in self._compared:
            self._compared[other] = found if other == point else self._found(other)[0]
        gains: dict[str, float] = {}
        for who in ("judge", "witness"):
            differences = getattr(found, who).astype(np.float64) - getattr(self._compared[other], who)
            gains |= _with_interval(f"gain_{who}", differences, scene)
        return gains


def _with_interval(name: str, values: Doubles, scene: Ints) -> dict[str, float]:
    low, high = interval(values, scene)
    return {name: float(values.mean()), f"{name}_low": low, f"{name}_high": high}


def _read(file: Path) -> dict[str, Any]:
    try:
        row: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataLoss(f"{file} holds no finished point ({error}); remove it, and it is measured again") from error
    return row
