"""Several questions about one picture: only cells that the receiver does not hold yet are sent.

question 1 --4 cells--> held      question 2 --those of its 4 cells that are not held--> held      ...

The receiver paints a picture of all that it holds, and answers. Error-free.
"""

from collections.abc import Sequence
from math import comb
from typing import Any, Final, NamedTuple

import numpy as np

from lab.evaluate.ask.measures import interval
from lab.evaluate.ask.points import AskLab
from lab.evaluate.ask.questions import Exam
from lab.evaluate.ask.schemes import error_free, in_parts
from shared.codecs.query.source import rows_of
from shared.codecs.query.tokens import PLACES, SEGMENT_BITS, choose_cells, layout_of
from shared.types import Bools, Ints, Pixels

QUESTIONS: Final = 4
BITS: Final = 192
"""Of the first question, and of each that is sent anew."""
_HOW_MANY_BITS: Final = 3  # how many cells are new: 0 to 4


class Held(NamedTuple):
    """What the receiver holds of a picture. indices: [64, s], of the cells that are `there`: [64]."""

    indices: Ints
    there: Bools


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
    layout = layout_of(BITS)
    wanted = choose_cells(exam.relevance, layout.tokens)
    pictures, bits = np.zeros((*turns.shape, *exam.pixels.shape[1:]), np.uint8), np.zeros(turns.shape, np.int64)
    for scene, questions in enumerate(turns):
        held = Held(np.zeros((PLACES, layout.segments), np.int64), np.zeros(PLACES, np.bool_))
        for turn, row in enumerate(questions):
            new = wanted[row] & ~held.there
            bits[scene, turn] = _bits_of(new, held) if turn else BITS
            held = _sent(lab, exam, row, new, held)
            pictures[scene, turn] = lab.tokens.paint(held.indices[held.there], held.there)[0]
    return pictures, bits


def _bits_of(new: Bools, held: Held) -> int:
    """How many cells, which of those that are not held, and their segments."""
    count, segments = int(new.sum()), int(held.indices.shape[1])
    positions = (comb(PLACES - int(held.there.sum()), count) - 1).bit_length()
    return _HOW_MANY_BITS + positions + count * segments * SEGMENT_BITS


def _sent(lab: AskLab, exam: Exam, row: int, new: Bools, held: Held) -> Held:
    if not new.any():
        return held
    indices = held.indices.copy()
    one = slice(row, row + 1)
    asked = rows_of(exam.originals(), one)
    indices[new] = lab.tokens.indices(asked, new[None])[:, : indices.shape[1]]
    return Held(indices, held.there | new)


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
