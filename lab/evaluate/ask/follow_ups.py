"""Several questions about one picture: only cells that the receiver does not hold yet are sent.

The receiver paints a picture of all that it holds, and answers; the rule is `shared.codecs.query.held`. Error-free, and
in as many bits as are needed: a burst carries the next number of `LEVELS`.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from lab.evaluate.ask.measures import interval
from lab.evaluate.ask.points import AskLab
from lab.evaluate.ask.questions import Exam
from lab.evaluate.ask.schemes import error_free, in_parts
from shared.codecs.query.held import Held
from shared.codecs.query.source import rows_of
from shared.types import Ints, Pixels

QUESTIONS: Final = 4
BITS: Final = 192
"""Of the first question, and of each that is sent anew."""


def follow_ups(lab: AskLab, exam: Exam) -> list[dict[str, Any]]:
    """Rows for 1 to 4 questions: mean of all bits, and matches, in a session, and with each question sent anew."""
    turns = _turns(exam)
    pictures, bits = _in_session(lab, exam, turns)
    anew = in_parts(lambda asked: error_free(lab.code, lab.judge, lab.tokens)["uo-isc"](asked, BITS), exam.originals())
    whole = {
        number: error_free(lab.code, lab.judge)["klt"](rows_of(exam.originals(), turns[:, 0]), BITS * number)
        for number in range(1, QUESTIONS + 1)
    }
    rows = []
    for number in range(1, QUESTIONS + 1):
        asked = turns[:, :number].ravel()
        ways = {
            "session": pictures[:, :number].reshape(-1, *pictures.shape[2:]),
            "anew": anew[asked],
            "klt": whole[number].repeat(number, 0),
        }
        row: dict[str, Any] = {"questions": number, "pictures": len(turns), "bits": bits[:, :number].sum(1).mean()}
        row["bits_anew"] = BITS * number
        for name, shown in ways.items():
            right = lab.judge.answer(shown, exam.asked.words[asked]).numbers == exam.judge[asked]
            low, high = interval(right.astype(float), np.repeat(np.arange(len(turns)), number))
            row |= {f"match_{name}": right.mean(), f"match_{name}_low": low, f"match_{name}_high": high}
        rows.append({name: float(value) for name, value in row.items()})
    return rows


def _turns(exam: Exam) -> Ints:
    """Questions, in an order of chance, about scenes that have four or more: [N, 4]."""
    dice, found = np.random.default_rng(0), []
    for scene in range(len(exam.pixels)):
        rows = dice.permutation(np.flatnonzero(exam.asked.scene == scene))
        if len(rows) >= QUESTIONS:
            found.append(rows[:QUESTIONS])
    return np.stack(found)


def _in_session(lab: AskLab, exam: Exam, turns: Ints) -> tuple[Pixels, Ints]:
    """The picture at each question [N, 4, 64, 64, 3], and the bits that it took [N, 4]."""
    pictures, bits = np.zeros((*turns.shape, *exam.pixels.shape[1:]), np.uint8), np.zeros(turns.shape, np.int64)
    for scene, questions in enumerate(turns):
        held: Held | None = None
        for turn, row in enumerate(questions):
            asked = rows_of(exam.originals(), slice(row, row + 1))
            if held is None:
                bits[scene, turn], held = BITS, lab.tokens.hold(lab.tokens.encode(asked, BITS)[0])
            else:
                needed = lab.tokens.missing(asked, held)
                bits[scene, turn], held = needed.bits, held.with_cells(needed.new, needed.indices)
            pictures[scene, turn] = lab.tokens.show(held)[0]
    return pictures, bits


def as_table(rows: Sequence[dict[str, Any]]) -> list[dict[str, str]]:
    """Rows for a page."""
    return [
        {
            "questions": f"{row['questions']:.0f}",
            "bits in a session": f"{row['bits']:.0f}",
            "match": f"{row['match_session']:.3f} [{row['match_session_low']:.3f}, {row['match_session_high']:.3f}]",
            "bits, each anew": f"{row['bits_anew']:.0f}",
            "match, anew": f"{row['match_anew']:.3f}",
            "`klt` once, in these bits": f"{row['match_klt']:.3f}",
        }
        for row in rows
    ]
