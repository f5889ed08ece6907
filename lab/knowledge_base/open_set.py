"""Known categories against categories that the knowledge base lacks.

A fifth of the labels is taken away; items of all labels are sent. Whoever rejects what is not known must score the
items of the other labels higher.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from lab.knowledge_base.calibration import Answers, Queries, ask
from receiver.confidence import FEATURES, Confidences
from receiver.knowledge_base import EngineSettings
from receiver.knowledge_base.index.append_only import Delta
from receiver.knowledge_base.index.table import make_engine
from receiver.knowledge_base.view import View
from shared.codecs import Codec
from shared.errors import InvalidInput
from shared.types import Doubles, Ints, Progress

_LACKING = 0.2  # of the labels
_SNR_DB = (5, 20)


@dataclass(frozen=True)
class OpenSet:
    """How well scores tell known from unknown, and right from wrong or unknown answers.

    auroc: area under the ROC curve, by score. curves: (false alarms, hits) by score: shares of unknown and of known
    queries that score above a threshold. coverage, risk: of accepted answers as the threshold of the confidence falls,
    share of all queries, and share of wrong or unknown among them.
    """

    auroc: dict[str, float]
    curves: dict[str, tuple[Doubles, Doubles]]
    coverage: Doubles
    risk: Doubles
    lacking: int
    labels: int


def measure_open_set(
    view: View, queries: Queries, codecs: Sequence[Codec], models: Confidences, *, seed: int, progress: Progress
) -> OpenSet:
    """Take labels away and ask, over channels good enough to tell. Raises InvalidInput for fewer than 5 labels."""
    codes = np.unique(view.label_codes[view.live])
    if len(codes) < 1 / _LACKING:
        raise InvalidInput(f"the knowledge base has {len(codes)} labels; an open set needs at least 5")
    known = np.random.default_rng(seed).permutation(codes)[int(_LACKING * len(codes)) :]
    answers = ask(_with_labels(view, known), codecs, queries, seed=seed, progress=progress, snr_db=_SNR_DB)
    return _judge(answers, models, len(codes) - len(known), len(codes))


def _with_labels(view: View, codes: Ints) -> View:
    """The knowledge base as if it had items of these labels alone."""
    live, size = view.live & np.isin(view.label_codes, codes), view.head.next_position
    engine = make_engine(EngineSettings(name="flat"), size)
    engine.build(view.store.vectors(0, size, live))
    head, nothing = replace(view.head, items=int(live.sum())), Delta.empty(view.store.origin.dim)
    return replace(view, engine=engine, covered=size, delta=nothing, head=head, room_live=live)


def _judge(answers: Answers, models: Confidences, lacking: int, labels: int) -> OpenSet:
    from sklearn.metrics import roc_auc_score, roc_curve  # noqa: PLC0415 - takes a second to import

    confidence = answers.confidence(models)
    scores = {"confidence": confidence, "share": answers.share} | {
        name: answers.features[:, FEATURES.index(name)] for name in ("cosine", "margin", "agreement")
    }
    order = np.argsort(-confidence, kind="stable")
    accepted = np.arange(1, len(order) + 1)
    return OpenSet(
        auroc={name: float(roc_auc_score(answers.known, score)) for name, score in scores.items()},
        curves={name: tuple(roc_curve(answers.known, score)[:2]) for name, score in scores.items()},
        coverage=accepted / len(order),
        risk=np.cumsum(~answers.right[order]) / accepted,
        lacking=lacking,
        labels=labels,
    )
