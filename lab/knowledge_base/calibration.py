"""A calibrated confidence: fitted and judged on answers to queries that the knowledge base does not hold.

Each of the base's own items in turn is taken out, sent over the channel and looked up among the others; or pictures
from elsewhere are sent. Half of the answers fit the model, the other half judge it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lab.knowledge_base.neighbours import without
from lab.simulate.chain import channel_chain
from lab.simulate.embeddings import Received, mixed_channels, transmit_embeddings
from receiver.confidence import FEATURES, Confidence, Confidences
from receiver.decision import VOTERS, confidence_features, vote
from receiver.knowledge_base.view import View
from receiver.label_posterior import CANDIDATES, LabelPosteriors, rank_by_posterior
from shared.codecs import Codec
from shared.codecs.embedding.posterior import LabelPosterior
from shared.errors import InvalidInput
from shared.phy import ChannelSettings
from shared.types import Bools, Doubles, Floats, Ints, Labels, Progress

_BINS = 15
_LEAST_WRONG = 20  # and right answers; a model cannot be fitted to fewer


@dataclass(frozen=True)
class Queries:
    """What is asked. embeddings: [Q, dim], float32, unit length. labels: [Q], codes of the base's labels, -1 for none.

    positions: [Q], where the items themselves stand in the knowledge base, -1 for those from elsewhere.
    """

    embeddings: Floats
    labels: Labels
    positions: Ints


@dataclass(frozen=True)
class Answers:
    """What was answered. features: [N, 5]; blind: the same as if the noise were unknown. share, right: [N].

    known: [N], whether the knowledge base has the query's label at all. fused: [N], whether a fusion chose or a vote.
    """

    features: Doubles
    blind: Doubles
    share: Doubles
    right: Bools
    known: Bools
    fused: Bools

    def confidence(self, models: Confidences) -> Doubles:
        """Of each answer: [N]."""
        return np.where(self.fused, models.fusion.of(self.features), models.vote.of(self.features))

    def some(self, which: slice | Bools) -> "Answers":
        """Some of them."""
        return Answers(**{name: getattr(self, name)[which] for name in Answers.__dataclass_fields__})


@dataclass(frozen=True)
class Reliability:
    """How well probabilities hold. ece: expected calibration error over 15 bins of equal width (Guo et al., 2017).

    confidence, accuracy, weight: [bins], of the bins that are not empty
    """

    ece: float
    confidence: Doubles
    accuracy: Doubles
    weight: Doubles


@dataclass(frozen=True)
class Calibration:
    """Fitted models and their proof, on answers that they were not fitted to.

    share: of the winner, taken for a confidence as it is. shipped: of the models that ship.
    """

    models: Confidences
    share: Reliability
    shipped: Reliability
    fitted: Reliability


def own_queries(view: View, count: int, seed: int) -> Queries:
    """Draw some of the base's own items."""
    live = np.flatnonzero(view.live)
    drawn = np.sort(np.random.default_rng(seed).choice(live, min(count, live.size), replace=False))
    return Queries(view.embeddings_of(drawn), view.labels_of(drawn), drawn)


def queries_from(view: View, embeddings: Floats, labels: Sequence[str]) -> Queries:
    """Pictures from elsewhere, with labels by name."""
    codes = {label: code for code, label in enumerate(view.labels)}
    found = np.array([codes.get(str(label), -1) for label in labels], np.int64)
    return Queries(embeddings, found, np.full(len(found), -1, np.int64))


def answer(view: View, queries: Queries, received: Received, fusion: LabelPosterior | None = None) -> Answers:
    """Look up what arrived, and vote, or weigh by a fusion. An item is never its own neighbour."""
    count, unknown = VOTERS if fusion is None else CANDIDATES, np.full(len(received.n0), np.nan)
    positions, squared = without(queries.positions, *view.nearest(received.embeddings, count + 1))
    labels = view.labels_of(positions)
    if fusion is None:
        ballot, without_noise = vote(labels, squared, received.n0), vote(labels, squared, unknown)
    else:
        ballot = without_noise = rank_by_posterior(fusion, received.decoded, labels, squared)[0]
    return Answers(
        features=confidence_features(ballot, received.n0, received.symbols),
        blind=confidence_features(without_noise, unknown, received.symbols),
        share=ballot.share,
        right=labels[np.arange(len(labels)), ballot.winner] == queries.labels,
        known=np.isin(queries.labels, view.label_codes[view.live]),
        fused=np.full(len(labels), fusion is not None),
    )


def ask(
    view: View,
    codecs: Sequence[Codec],
    queries: Queries,
    *,
    seed: int,
    progress: Progress,
    snr_db: tuple[float, float] = (-10, 20),
) -> Answers:
    """Send all queries with each codec over mixed channels of these SNRs, and answer them."""
    parts, chain = [], channel_chain(ChannelSettings())
    for number, codec in enumerate(codecs):
        progress(number, len(codecs))
        channels, fusion = mixed_channels(len(queries.labels), seed + number, snr_db), LabelPosteriors().of(codec, view)
        received = transmit_embeddings(queries.embeddings, codec, chain, overrides=channels, fusion=fusion)
        parts.append(answer(view, queries, received, fusion))
    progress(len(codecs), len(codecs))
    return merge(parts)


def merge(parts: Sequence[Answers]) -> Answers:
    """All answers in one, mixed so that its halves are alike."""
    names = list(Answers.__dataclass_fields__)
    whole = Answers(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})
    order = np.random.default_rng(0).permutation(len(whole.right))
    return Answers(**{name: getattr(whole, name)[order] for name in names})


def calibrate(answers: Answers, shipped: Confidences, source: str) -> Calibration:
    """Fit the models to half of the answers, judge them by the other half.

    Without any answers of a fusion, or of a vote, the shipped model for them stays.
    """
    half = len(answers.right) // 2
    learned, held_out = answers.some(slice(half)), answers.some(slice(half, None))
    models = Confidences(
        vote=_fitted(learned.some(~learned.fused), shipped.vote, source),
        fusion=_fitted(learned.some(learned.fused), shipped.fusion, source),
    )
    return Calibration(
        models,
        reliability(held_out.share, held_out.right),
        reliability(held_out.confidence(shipped), held_out.right),
        reliability(held_out.confidence(models), held_out.right),
    )


def _fitted(answers: Answers, otherwise: Confidence, source: str) -> Confidence:
    return fit(answers.features, answers.blind, answers.right, source) if answers.right.size else otherwise


def fit(known: Doubles, blind: Doubles, right: Bools, source: str) -> Confidence:
    """Fit the logistic model of `receiver.confidence`. Raises InvalidInput for too few right or wrong answers."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - takes a second to import

    if min(right.sum(), (~right).sum()) < _LEAST_WRONG:
        raise InvalidInput(
            f"{int(right.sum())} right and {int((~right).sum())} wrong answers are too few to calibrate from, give at "
            f"least {_LEAST_WRONG} of each: more queries, more SNRs, or a knowledge base with several items to a label"
        )
    seeing = LogisticRegression(C=1e3, max_iter=1000).fit(known, right)
    guessing = LogisticRegression(C=1e3, max_iter=1000).fit(blind[:, : len(FEATURES) - 1], right)
    return Confidence(
        weights=tuple(map(float, seeing.coef_[0])),
        bias=float(seeing.intercept_[0]),
        blind_weights=tuple(map(float, guessing.coef_[0])),
        blind_bias=float(guessing.intercept_[0]),
        source=source,
        samples=len(right),
    )


def reliability(confidence: Doubles, right: Bools) -> Reliability:
    """Compare confidences [N] with what was right, bin by bin."""
    bins = np.minimum((confidence * _BINS).astype(np.int64), _BINS - 1)
    count = np.bincount(bins, minlength=_BINS)
    full = count > 0
    mean = np.bincount(bins, confidence, _BINS)[full] / count[full]
    accuracy = np.bincount(bins, right.astype(np.float64), _BINS)[full] / count[full]
    weight = count[full] / count.sum()
    return Reliability(float((weight * np.abs(mean - accuracy)).sum()), mean, accuracy, weight)
