"""`semlink evaluate ask`: pictures for questions, error-free and over channels, into one table.

Each point is kept when it is measured, so an interrupted run goes on.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from lab.evaluate.ask.measures import Figures, Found, figures, interval, judged
from lab.evaluate.ask.questions import Exam
from lab.evaluate.ask.schemes import error_free, in_parts, over
from lab.evaluate.ask.symbols import list_and_draw
from lab.simulate.chain import PILOTS, channel_chain
from shared.codecs.answerers import Answerer
from shared.codecs.base.contract import DesignFading, fingerprint_of
from shared.codecs.base.picture import ASKED_SIDE as SIDE
from shared.codecs.base.picture import Asked
from shared.codecs.base.weight_files import weights_path
from shared.codecs.picture.link_adaptation import Adaptation
from shared.codecs.query.klt import WEIGHTS, BlockLdpc, BlockSource, Klt, KltRelevance
from shared.codecs.query.transform import BlockCode
from shared.errors import DataLoss
from shared.files import make_directory, replacing
from shared.frame.burst import IDEAL_HEADER_SYMBOLS
from shared.phy import ChannelSettings
from shared.phy.conditions.settings import FadingName
from shared.types import Pixels, Progress

SPLITS: Final = ("seen", "unseen-combinations", "unseen-shapes")
BITS: Final = (96, 192, 384, 768)
SNRS_DB: Final = (-4.0, 0.0, 4.0, 8.0, 12.0, 16.0)
BITS_ON_AIR: Final = 384
SCENES: Final = 200
"""Of each split, with about 1,000 questions."""
AGNOSTIC: Final = "klt"
"""What the gain of a question is measured against, at equal bits."""

_CODECS: Final[dict[str, type[BlockLdpc]]] = {kind.name: kind for kind in (KltRelevance, Klt)}


SYMBOLS: Final = "symbol-list"
"""Of as many bits as there are objects; compared with nothing."""
VERSION: Final = 1
"""Of the measuring itself. Raise it when the same point would give another row."""


@dataclass(frozen=True)
class AskPoint:
    """One point. snr_db: None for error-free bits. fading: block fading; the design SNR is the average SNR."""

    split: str
    scheme: str
    bits: int
    scenes: int
    snr_db: float | None = None
    fading: FadingName = "none"


@dataclass(frozen=True)
class _Lab:
    """All that points share."""

    code: BlockCode
    judge: Answerer
    witness: Answerer
    adaptation: Adaptation

    @classmethod
    def load(cls) -> "_Lab":
        """The shipped parameters."""
        code = BlockCode.from_file(weights_path(WEIGHTS, "model.safetensors"))
        return cls(code, Answerer.load("judge"), Answerer.load("witness"), Adaptation.load())

    @property
    def fingerprint(self) -> str:
        """Of all parameters."""
        parts = (str(VERSION), self.code.fingerprint, self.judge.fingerprint, self.witness.fingerprint)
        return fingerprint_of(part.encode() for part in parts)


def points(scenes: int = SCENES) -> Iterator[AskPoint]:
    """All points: error-free at four rates, then over channels at one."""
    for split in SPLITS:
        for bits in BITS:
            for scheme in (AGNOSTIC, "klt-relevance", "klt-random"):
                yield AskPoint(split, scheme, bits, scenes)
        yield AskPoint(split, SYMBOLS, 0, scenes)
    for fading in ("none", "rayleigh"):
        for snr_db in SNRS_DB:
            for scheme in (AGNOSTIC, "klt-relevance"):
                yield AskPoint("seen", scheme, BITS_ON_AIR, scenes, snr_db, fading)


def evaluate_ask(folder: Path, scenes: int, report: Progress) -> pl.DataFrame:
    """Measure what is missing, and write `ask.csv` of all points into the folder."""
    lab, wanted, rows = _Lab.load(), list(points(scenes)), []
    measured = folder / "points"
    make_directory(measured)
    exam = cache(lambda split: Exam.of(split, scenes, lab.judge, lab.witness))
    agnostic: dict[AskPoint, Found] = {}
    for done, point in enumerate(wanted):
        report(done, len(wanted))
        file = measured / f"{fingerprint_of([lab.fingerprint.encode(), repr(point).encode()])}.json"
        if not file.exists():
            with replacing(file) as draft:
                draft.write_text(json.dumps(_measured(lab, exam, point, agnostic)), encoding="utf-8")
        rows.append(_read(file))
    report(len(wanted), len(wanted))
    table = pl.DataFrame(rows, infer_schema_length=None)
    with replacing(folder / "ask.csv") as draft:
        table.write_csv(draft)
    return table


def _measured(
    lab: _Lab, exam: Callable[[str], Exam], point: AskPoint, agnostic: dict[AskPoint, Found]
) -> dict[str, Any]:
    """The row of a point; `agnostic` keeps what the points that it compares with have found."""

    def found_at(at: AskPoint) -> tuple[Found, dict[str, Any]]:
        send, sent = _sender(lab, at)
        return judged(exam(at.split), in_parts(send, exam(at.split).originals()), lab.judge, lab.witness), sent

    if point.scheme == SYMBOLS:
        rebuilt, bits = list_and_draw(lab.judge, exam(point.split).pixels)
        own = rebuilt[exam(point.split).asked.scene]
        listed = judged(exam(point.split), own, lab.judge, lab.witness)
        return asdict(point) | {"bits_sent": bits, "k": 0} | _flat(figures(exam(point.split), listed))
    found, sent = found_at(point)
    other = AskPoint(**{**asdict(point), "scheme": AGNOSTIC})
    if other not in agnostic:
        agnostic[other] = found if other == point else found_at(other)[0]
    result: Figures = figures(exam(point.split), found)
    scene = exam(point.split).asked.scene
    gains = {
        f"gain_{who}": _difference(getattr(found, who), getattr(agnostic[other], who), scene)
        for who in ("judge", "witness")
    }
    flat = {
        f"{name}{end}": value
        for name, values in gains.items()
        for end, value in zip(("", "_low", "_high"), values, strict=True)
    }
    return asdict(point) | sent | _flat(result) | flat


def _flat(result: Figures) -> dict[str, Any]:
    """Figures as columns of the table."""
    row = asdict(result)
    return row | {f"match_{kind}": value for kind, value in row.pop("by_kind").items()}


def _sender(lab: _Lab, point: AskPoint) -> tuple[Callable[[Asked], Pixels], dict[str, Any]]:
    """What sends at a point, and what it costs."""
    if point.snr_db is None:
        scheme = error_free(lab.code, lab.judge)[point.scheme]
        return lambda asked: scheme(asked, point.bits), {"bits_sent": point.bits, "k": 0, "cbr": 0.0, "cbr_total": 0.0}
    kind = _CODECS[point.scheme]
    fading: DesignFading = "none" if point.fading == "none" else "rayleigh"
    k = kind.length_for(point.bits, point.snr_db, fading)
    made = (
        kind(k, BlockSource(lab.code, lab.judge if kind.aware else None), lab.adaptation)
        .for_fading(fading)
        .with_bits(point.bits)
    )
    chain = channel_chain(ChannelSettings(snr_db=point.snr_db, fading=point.fading))
    values = 3 * SIDE * SIDE
    sent = {"bits_sent": made.payload_bits(made.mode(point.snr_db)), "k": k}
    costs = {"cbr": made.symbols / values, "cbr_total": (made.symbols + PILOTS + IDEAL_HEADER_SYMBOLS) / values}
    return over(made, chain, point.snr_db), sent | costs


def _difference(one: Any, other: Any, scene: Any) -> tuple[float, float, float]:
    """Mean of the difference, and its interval."""
    gains = one.astype(np.float64) - other.astype(np.float64)
    return (float(gains.mean()), *interval(gains, scene))


def _read(file: Path) -> dict[str, Any]:
    try:
        row: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataLoss(f"{file} holds no finished point ({error}); remove it, and it is measured again") from error
    return row
