"""One immutable state of the knowledge base, and its search.

    e_hat -> unit length -> bulk engine -> candidates --.
                       |                                 +--> drop what was removed --> rank --> ids and labels
                       '--> delta, exactly ------------'

A view never changes, so a search sees one state from begin to end. Each change makes a new view that shares nearly all
arrays with the old one (see `index.append_only`).
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice

import numpy as np

from receiver.knowledge_base.index.append_only import Delta, appended
from receiver.knowledge_base.index.base import IndexEngine
from receiver.knowledge_base.index.exact_search import sort_neighbours, squared_distances
from receiver.knowledge_base.index.ranking_file import RankingFile
from receiver.knowledge_base.records import AddedRecord
from receiver.knowledge_base.store.schema import METRIC, Head
from receiver.knowledge_base.store.sqlite import damaged
from receiver.knowledge_base.store.store import Contents, Store
from shared.errors import InvalidInput, NotFound
from shared.frame.kb import Item, KnowledgeBaseInfo
from shared.frame.reception import Hit
from shared.types import Bools, Floats, Positions

_FEW_ITEMS = 4096  # a search limited to labels with at most so many items compares all of them

Search = Callable[[Floats, int], tuple[Positions, Floats]]


@dataclass(frozen=True)
class View(Contents):
    """The state that a search needs.

    engine: holds the items below the position `covered`; `delta` holds the others
    ranking: embeddings to rank candidates by; missing ones are read from the store
    """

    store: Store
    engine: IndexEngine
    covered: int
    delta: Delta
    ranking: RankingFile

    @cached_property
    def fingerprint(self) -> str:
        """Checksum of the content: 64 hexadecimal digits."""
        origin = self.store.origin
        return self.head.fingerprint(origin.clip_fingerprint, origin.dim)

    @cached_property
    def description(self) -> KnowledgeBaseInfo:
        """A summary of its content."""
        return KnowledgeBaseInfo(
            **vars(self.store.origin),
            items=self.head.items,
            labels=len(self.labels_in_use),
            fingerprint=self.fingerprint,
            engine=self.engine.name,
            version=self.head.version,
            metric=METRIC,
            created_at=self.store.created_at,
        )

    @cached_property
    def labels_in_use(self) -> Positions:
        """Codes of the labels that have items, ascending: [L]; `labels` holds those that had some, too."""
        return np.flatnonzero(np.bincount(self.label_codes[self.live], minlength=len(self.labels)))

    def nearest(self, e_hat: Floats, n: int, labels: Collection[str] | None = None) -> tuple[Positions, Floats]:
        """Find the n nearest items of each query, nearest first, equally near ones by position.

        e_hat: [B, dim], float, any length but 0
        labels: only items of these; None for all
        Returns positions [B, m], int64, and squared distances [B, m] between unit vectors, float32, 0 to 4; m < n where
        there are not so many items.
        """
        if n < 1:
            raise InvalidInput(f"{n} nearest items were asked for; ask for at least 1")
        queries = unit_queries(e_hat, self.store.origin.dim)
        wanted = self.live if labels is None else self.live & self._labelled(set(labels))
        count = self.head.items if labels is None else int(np.count_nonzero(wanted))
        n = min(n, count)
        if labels is not None and count <= _FEW_ITEMS:
            positions, squared = self._among(queries, np.flatnonzero(wanted))
        else:
            positions, squared = self._from_bulk(queries, n, wanted)
            if self.delta.count:
                later = _search_live(self.delta.search, self.delta.count, queries, n, wanted)
                parts = [(positions, squared), later]
                positions, squared = (np.concatenate(halves, axis=1) for halves in zip(*parts, strict=True))
        return _best(positions, squared, n)

    def hits(self, positions: Positions, squared: Floats) -> list[list[Hit]]:
        """Hits of what `nearest` of this view found: both [B, n]."""
        distances = np.sqrt(squared.astype(np.float64))
        return [
            [Hit(self.item_ids[at], self.labels[self.room_codes[at]], one) for at, one in zip(found, away, strict=True)]
            for found, away in zip(positions.tolist(), distances.tolist(), strict=True)
        ]

    def labels_of(self, positions: Positions) -> Positions:
        """Codes of the labels of items, in the shape of `positions`."""
        return self.label_codes[positions]

    def embeddings_of(self, positions: Positions) -> Floats:
        """Embeddings of items: positions [..., n] -> [..., n, dim], float32; NaN for one that was removed since."""
        flat, places = np.unique(positions, return_inverse=True)
        found = self.store.read_embeddings(flat)
        return found[places.reshape(-1)].reshape(*np.shape(positions), found.shape[-1])

    def item(self, item_id: str) -> Item:
        """One item as it is stored. Raises NotFound for an id that is not there, DataLoss when it is damaged."""
        position = self.store.position_of(item_id)
        item = None if position is None else self.store.read_item(position)
        if item is None:
            self._require_absent(item_id)
            raise NotFound(
                f"the knowledge base {self.store.path.parent} has no item {item_id[:200]!r}; "
                f"ids are those that a search gives"
            )
        if item.item_id != item_id:
            raise damaged(self.store.path, f"its index of ids leads from {item_id!r} to {item.item_id!r}")
        return item

    def _require_absent(self, item_id: str) -> None:
        """Raise DataLoss if the item exists although the store's index of ids lacks it."""
        start, stop = 0, self.head.next_position
        while item_id in islice(self.item_ids, start, stop):
            position = self.item_ids.index(item_id, start, stop)
            if self.live[position] and self.store.read_item(position) is not None:
                raise damaged(self.store.path, f"its index of ids does not lead to {item_id!r}")
            start = position + 1

    def with_added(self, added: Sequence[AddedRecord], head: Head, labels: tuple[str, ...]) -> "View":
        """The next view, with items appended after this one's. labels: all labels after the change."""
        count = self.head.next_position
        self.item_ids.extend(item.item_id for item in added)
        positions = np.array([item.position for item in added], np.int64)
        return replace(
            self,
            head=head,
            labels=labels,
            delta=self.delta.extended(positions, np.stack([item.embedding for item in added])),
            room_codes=appended(self.room_codes, count, np.array([item.code for item in added], np.int64)),
            room_live=appended(self.room_live, count, np.ones(len(added), np.bool_)),
        )

    def with_removed(self, positions: Sequence[int], head: Head) -> "View":
        """The next view, without some items."""
        live = self.live.copy()
        live[positions] = False
        return replace(self, head=head, room_live=live)

    def with_labels(self, codes: Mapping[int, int], head: Head, labels: tuple[str, ...]) -> "View":
        """The next view, with changed labels: codes by position. labels: all labels after the change."""
        changed = self.label_codes.copy()
        changed[list(codes)] = list(codes.values())
        return replace(self, head=head, room_codes=changed, labels=labels)

    def with_contents(self, contents: Contents) -> "View":
        """The next view, read again from the store; of the embeddings only the new ones are read."""
        fresh = self.store.vectors(self.head.next_position, contents.head.next_position, contents.live)
        return replace(self, delta=self.delta.extended_by(fresh), **vars(contents))

    def with_engine(self, engine: IndexEngine, covered: int) -> "View":
        """The next view, searched by an engine that holds the items below a position."""
        return replace(self, engine=engine, covered=covered, delta=self.delta.since(covered))

    def _from_bulk(self, queries: Floats, n: int, wanted: Bools) -> tuple[Positions, Floats]:
        size = len(self.engine)
        positions, squared = _search_live(self.engine.search, size, queries, n, wanted[: self.covered])
        if not self.engine.exact:
            embeddings = self._ranking_embeddings(np.where(np.isfinite(squared), positions, -1).reshape(-1))
            squared = squared_distances(queries, embeddings.reshape(*positions.shape, self.store.origin.dim))
        return positions, squared

    def _among(self, queries: Floats, positions: Positions) -> tuple[Positions, Floats]:
        """A few items, compared one by one."""
        embeddings = self._ranking_embeddings(positions)
        squared = squared_distances(queries, np.broadcast_to(embeddings, (len(queries), *embeddings.shape)))
        return np.tile(positions, (len(queries), 1)), squared

    def _ranking_embeddings(self, positions: Positions) -> Floats:
        """Embeddings of candidates: [n] -> [n, dim]; NaN for -1 and for removed items."""
        found = self.ranking.read(positions)
        lacking = np.isnan(found[:, 0]) & (positions >= 0)
        if lacking.any():
            found = found.copy()
            found[lacking] = self.embeddings_of(positions[lacking])
        return found

    def _labelled(self, labels: set[str]) -> Bools:
        codes = [code for code, label in enumerate(self.labels) if label in labels]
        return np.isin(self.label_codes, codes)


def _search_live(search: Search, size: int, queries: Floats, n: int, wanted: Bools) -> tuple[Positions, Floats]:
    """Search `size` vectors with growing k until each query has n wanted results.

    wanted: [covered], which positions count; those after it do not. The others get an infinite distance.
    """
    asked = n
    while size:
        positions, squared = search(queries, min(asked, size))
        counted = (positions >= 0) & (positions < len(wanted))
        counted[counted] = wanted[positions[counted]]
        if asked >= size or (counted.sum(axis=1) >= n).all():
            return positions, np.where(counted, squared, np.float32(np.inf))
        asked *= 4
    return np.empty((len(queries), 0), np.int64), np.empty((len(queries), 0), np.float32)


def _best(positions: Positions, squared: Floats, n: int) -> tuple[Positions, Floats]:
    """The n best of each row, fewer if a row has fewer."""
    positions, squared = sort_neighbours(positions, squared)
    finite = np.isfinite(squared).sum(axis=1)
    n = min([n, *finite.tolist()])
    return positions[:, :n], squared[:, :n]


def unit_queries(e_hat: Floats, dim: int) -> Floats:
    """Bring queries to unit length: [B, dim], float32. Raises InvalidInput naming the first without a direction."""
    if e_hat.ndim != 2 or e_hat.shape[1] != dim:
        raise InvalidInput(f"queries have shape {e_hat.shape}; this knowledge base takes [B, {dim}]")
    with np.errstate(invalid="ignore"):  # of a NaN, which is refused below
        wide = e_hat.astype(np.float64)
        lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    wrong = np.flatnonzero(~np.isfinite(lengths) | (lengths == 0))
    if wrong.size:
        raise InvalidInput(
            f"query {wrong[0]} has length {lengths[wrong[0], 0]}; send finite values that are not all zero"
        )
    return np.ascontiguousarray(wide / lengths, dtype=np.float32)
