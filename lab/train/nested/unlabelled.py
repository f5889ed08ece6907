"""Nested without labels: how many clusters, and from which design SNR on none at all, chosen by validation.

    learned ---k-means, code---> one model for each number of clusters --.
    learned ---principal axes--> analogue mode (no training) ------------+--> held-out vectors decide

Groups stand in for the labels that a receiver will have: k-means finds them, other ones than those of any code.
Held-out vectors ask the learned ones through the channel, each mode with the decision that a receiver makes of it
(fusion or vote), and the share of answers from the query's group decides. No label of the data is used.
"""

import sys
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import faiss
import numpy as np
import torch

from lab.data.codec_data import CodecData
from lab.train.nested import NestedSettings
from lab.train.nested.code import DESIGN_SNRS_DB
from receiver.decision import VOTERS, vote
from receiver.knowledge_base.index.exact_search import exact_nearest
from shared.codecs.base.contract import Codec, Decoded
from shared.codecs.embedding.analogue import ALWAYS_DB, LEAST, NEVER_DB, Analogue
from shared.codecs.embedding.nested import Nested
from shared.codecs.embedding.nested_model import NestedModel
from shared.codecs.embedding.nested_shape import LENGTHS
from shared.codecs.embedding.posterior import LabelPosterior
from shared.types import Doubles, Embeddings, Ints
from shared.units import n0_from_snr_db

_SHARES: Final = (32, 8)
"""Learned vectors for each cluster, of the numbers of clusters that are tried."""
_LEAST_CLUSTERS, _MOST_CLUSTERS = 32, 200
JUDGES: Final = 500
_AXES: Final = LENGTHS[-1]

_GROUP: Final = 16
"""Learned vectors in a group that stands in for a label."""
ITEMS: Final = 2000
_MORE_RIGHT, _FEWER_WRONG = 1.2, 0.9
"""The mode without clusters has to win by one of these: groups follow the strongest axes more than labels do."""

Quality = dict[int, Doubles]
"""Of each length: the share of right answers at each of `DESIGN_SNRS_DB`."""


class Trial(NamedTuple):
    """Queries [Q, D] and items [M, D] of unit length, and the groups of both, [Q] and [M]."""

    queries: Embeddings
    query_groups: Ints
    items: Embeddings
    item_groups: Ints


def make_trial(data: CodecData, seed: int) -> Trial:
    """Queries that were held out, items that were learned from."""
    queries, items = held_out(data)[:JUDGES], data.train.embeddings[:ITEMS]
    count = max(2, min(len(data.train.labels) // _GROUP, _MOST_CLUSTERS))
    means = faiss.Kmeans(items.shape[1], count, niter=30, seed=seed + 1, spherical=True, verbose=False)
    means.train(np.concatenate([queries, data.train.embeddings]))
    groups = [means.index.search(part, 1)[1][:, 0] for part in (queries, items)]
    return Trial(queries, groups[0], items, groups[1])


def candidates(learned: int) -> list[int]:
    """Numbers of clusters to try, fewest first; none where there would be so few that a cluster says little."""
    return sorted({count for share in _SHARES if (count := min(learned // share, _MOST_CLUSTERS)) >= _LEAST_CLUSTERS})


def fit_analogue(data: CodecData) -> Analogue:
    """Mean and principal axes of what is learned; the spread along them is that of vectors held out."""
    learned, other = data.train.embeddings, held_out(data)
    mean = learned.mean(axis=0)
    axes = np.linalg.svd(learned - mean, full_matrices=False)[2][: min(_AXES, len(learned) - 1)]
    spread = np.sqrt((((other - mean) @ axes.T) ** 2).mean(axis=0))
    falling = np.maximum(np.maximum.accumulate(spread[::-1])[::-1], LEAST)
    parts = (torch.from_numpy(part.astype(np.float32)) for part in (mean, axes, falling))
    return Analogue._make([*parts, torch.full((len(LENGTHS),), NEVER_DB)])


def held_out(data: CodecData) -> Embeddings:
    """All vectors of the validation parts."""
    found: Embeddings = np.concatenate([data.sender.embeddings, data.kb.embeddings])
    return found


def choose(
    data: CodecData, settings: NestedSettings, fit: Callable[[int], NestedModel]
) -> tuple[NestedModel, Analogue]:
    """The best model, and the analogue mode with the design SNRs from which on it is better.

    fit: trains a model of so many clusters
    """
    trial, analogue = make_trial(data, settings.seed), fit_analogue(data)
    counts = [settings.clusters] if settings.clusters else candidates(len(data.train.labels))
    if not counts:
        print(f"no clusters: {len(data.train.labels)} vectors are too few to find some", file=sys.stderr)
        return fit(1), analogue._replace(from_db=torch.full((len(LENGTHS),), ALWAYS_DB))
    plain_codecs = {k: plainly(k, analogue) for k in LENGTHS}
    plain = quality(plain_codecs, trial)
    tried: list[tuple[float, NestedModel, Quality]] = []
    for count in counts:
        model = fit(count)
        found = quality({k: Nested.of_model(model, k, None, "cpu") for k in LENGTHS}, trial)
        tried.append((float(np.mean([np.maximum(found[k], plain[k]) for k in LENGTHS])), model, found))
        print(
            f"{count} clusters: {tried[-1][0]:.3f} of the answers on held-out vectors come from the right group",
            file=sys.stderr,
        )
    _, model, found = max(tried, key=lambda row: row[0])
    from_db = torch.tensor([first_better(found[k], plain[k]) for k in LENGTHS])
    points = ["any" if point == ALWAYS_DB else f"{point:g} dB" for point in from_db.tolist()]
    told = ", ".join(f"k = {k}: {point}" for k, point in zip(LENGTHS, points, strict=True))
    print(f"{len(model.bias)} clusters; none from a design SNR of {told}", file=sys.stderr)
    return model, analogue._replace(from_db=from_db)


def first_better(clusters: Doubles, plain: Doubles) -> float:
    """The design SNR, dB, from which on `plain` is clearly better at every higher one."""
    needed = np.minimum(_MORE_RIGHT * clusters, 1 - _FEWER_WRONG * (1 - clusters))
    better = np.flatnonzero(plain < needed)
    after = int(better[-1]) + 1 if better.size else 0
    if after == len(DESIGN_SNRS_DB):
        return NEVER_DB
    # Half-way to the last point that clusters win.
    return (DESIGN_SNRS_DB[after - 1] + DESIGN_SNRS_DB[after]) / 2 if after else ALWAYS_DB


def plainly(k: int, analogue: Analogue) -> Nested:
    """The analogue mode of one length as a codec of its own, with a model of one category that is never used."""
    dim = len(analogue.mean)
    one = {"weight": torch.zeros(1, dim), "bias": torch.zeros(1), "prototypes": torch.zeros(1, dim)}
    axes = {"basis": torch.eye(dim, 1), "axes": torch.ones(1, 1, 1), "gains": torch.zeros(1, LENGTHS[-1])}
    code = {"points_db": torch.zeros(1), "words": torch.ones(1, 1, LENGTHS[-1])}
    always = analogue._replace(from_db=torch.full((len(LENGTHS),), ALWAYS_DB))
    return Nested.of_model(NestedModel(**one, **axes, **code), k, None, "cpu", always).with_mode(1)


def quality(codecs: Mapping[int, Nested], trial: Trial) -> Quality:
    """The share of right answers of each length at each design SNR, over AWGN of known N0, designed for this SNR."""
    return {k: np.array([share_right(codec, trial, point) for point in DESIGN_SNRS_DB]) for k, codec in codecs.items()}


def share_right(codec: Codec, trial: Trial, snr_db: float) -> float:
    """The share of queries that find an item of their group, over AWGN of known N0, designed for this SNR."""
    n0, rng = n0_from_snr_db(snr_db), np.random.default_rng(0)
    x = codec.encode(trial.queries, np.full(len(trial.queries), snr_db, np.float32))
    noise = rng.standard_normal((*x.shape, 2)).astype(np.float32).view(np.complex64)[..., 0] * (n0 / 2) ** 0.5
    log_categories = codec.categories(trial.items)
    fusion = None if log_categories is None else LabelPosterior(log_categories, trial.items, trial.item_groups)
    receiver = codec if fusion is None else codec.with_prior(fusion.log_prior)
    decoded = receiver.decode((x + noise).astype(np.complex64), np.full(x.shape, n0, np.float32))
    chosen = _voted(decoded, trial, n0) if fusion is None else fusion.rank(decoded, 1)[0][:, 0]
    return float(np.mean(trial.item_groups[chosen] == trial.query_groups))


def _voted(decoded: Decoded, trial: Trial, n0: float) -> Ints:
    """The items that a vote chooses: [Q]."""
    unit = decoded.embeddings / np.linalg.norm(decoded.embeddings, axis=1, keepdims=True)
    positions, squared = exact_nearest(trial.items, unit, min(VOTERS, len(trial.items)))
    ballot = vote(trial.item_groups[positions], squared, np.full(len(unit), n0))
    chosen: Ints = positions[np.arange(len(unit)), ballot.winner]
    return chosen
