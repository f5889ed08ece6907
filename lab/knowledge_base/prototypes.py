"""A knowledge base thinned to a budget of items: every label keeps as many, and those that stand for it best.

Herding (Welling, "Herding dynamical weights to learn", ICML 2009) takes item after item, each the one that brings the
mean of those taken closest to the mean of the label. On CIFAR-100 with clip-tiny it costs nothing down to one item a
label, where items drawn at random cost 18 points and farthest-first ones more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lab.knowledge_base.calibration import Queries, answer, queries_from
from lab.simulate.chain import channel_chain
from lab.simulate.embeddings import transmit_embeddings
from receiver.knowledge_base import KnowledgeBase, write_store
from receiver.knowledge_base.view import View
from receiver.label_posterior import LabelPosteriors
from shared.codecs import Codec
from shared.errors import InvalidSetting
from shared.phy import ChannelSettings
from shared.types import Floats, Positions, Progress

_QUERIES = 2000


@dataclass(frozen=True)
class Thinned:
    """What was kept, and what it costs: semantic accuracy by SNR in dB, before and after, on the same queries."""

    items_before: int
    items: int
    fewest: int
    most: int
    accuracy_before: dict[float, float]
    accuracy: dict[float, float]


def thin(
    source: Path,
    target: Path,
    budget: int,
    *,
    codec: Codec,
    levels_db: Sequence[float],
    progress: Progress,
    queries: Queries | None = None,
) -> Thinned:
    """Write a thinned copy of a knowledge base, and measure both.

    queries: pictures from elsewhere; none: items that are not kept, none of which is its own neighbour
    Raises InvalidSetting for a budget that does not give each label one item or keeps all of them, or for the source's
    own folder as target.
    """
    if target.resolve() == source.resolve():
        raise InvalidSetting(f"--out is {target}, the knowledge base itself; choose another folder")
    with KnowledgeBase.open(source) as whole:
        kept = choose(whole.view, budget)
        asked = _left_out(whole.view, kept) if queries is None else queries
        before = _accuracies(whole.view, asked, codec, levels_db)
        items = whole.view.head.items
        names = [whole.view.labels[code] if code >= 0 else "" for code in asked.labels]
        _copy(whole.view, kept, target, progress)
    with KnowledgeBase.open(target) as thinned:
        after = _accuracies(thinned.view, queries_from(thinned.view, asked.embeddings, names), codec, levels_db)
        counts = np.bincount(thinned.view.label_codes)
    return Thinned(items, len(kept), int(counts.min()), int(counts.max()), before, after)


def _left_out(view: View, kept: Positions) -> Queries:
    """Some of the items that are not kept."""
    others = np.setdiff1d(np.flatnonzero(view.live), kept)
    if not others.size:
        raise InvalidSetting(f"the knowledge base has {len(kept)} items; choose a budget below that")
    drawn = np.sort(np.random.default_rng(0).choice(others, min(_QUERIES, len(others)), replace=False))
    return Queries(view.embeddings_of(drawn), view.labels_of(drawn), drawn)


def _copy(view: View, kept: Positions, target: Path, progress: Progress) -> None:
    with write_store(target, view.store.origin) as store:
        for number, position in enumerate(kept.tolist()):
            item = view.store.read_item(position)
            if item is not None:
                store.add(**vars(item))
            progress(number + 1, len(kept))


def choose(view: View, budget: int) -> Positions:
    """Positions of the items to keep, in order. Raises InvalidSetting for a budget below the number of labels."""
    live = np.flatnonzero(view.live)
    codes = view.labels_of(live)
    labels, counts = np.unique(codes, return_counts=True)
    if budget < len(labels):
        raise InvalidSetting(f"{budget} items cannot stand for {len(labels)} labels; keep at least one of each")
    kept = []
    for label, share in zip(labels, shares(counts, budget).tolist(), strict=True):
        members = live[codes == label]
        kept.append(members[herd(view.embeddings_of(members), share)])
    return np.sort(np.concatenate(kept))


def shares(counts: Positions, budget: int) -> Positions:
    """How many items each label keeps, as evenly as its own count allows: [L], sum min(budget, all)."""
    share = np.minimum(counts, np.searchsorted(_filled(counts), budget, side="right") - 1)
    spare = np.flatnonzero(counts > share)[: max(0, min(budget, int(counts.sum())) - int(share.sum()))]
    share[spare] += 1
    return share


def _filled(counts: Positions) -> Positions:
    """How many items are kept if no label keeps more than 0, 1, 2 ... of them."""
    return np.array([np.minimum(counts, level).sum() for level in range(int(counts.max()) + 1)])


def herd(embeddings: Floats, count: int) -> Positions:
    """Rows of `count` embeddings [n, dim] whose mean comes closest to the mean of all, one after the other."""
    mean = embeddings.mean(axis=0)
    wanted, taken = mean.copy(), np.zeros(len(embeddings), np.bool_)
    for _ in range(count):
        row = int(np.where(taken, -np.inf, embeddings @ wanted).argmax())
        taken[row] = True
        wanted += mean - embeddings[row]
    return np.flatnonzero(taken)


def _accuracies(view: View, queries: Queries, codec: Codec, levels_db: Sequence[float]) -> dict[float, float]:
    accuracy, fusion = {}, LabelPosteriors().of(codec, view)
    for snr_db in levels_db:
        chain = channel_chain(ChannelSettings(snr_db=snr_db))
        received = transmit_embeddings(queries.embeddings, codec, chain, fusion=fusion)
        accuracy[snr_db] = float(answer(view, queries, received, fusion).right.mean())
    return accuracy
