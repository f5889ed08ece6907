"""The receiver's memory, open for searching.

    e_hat -> unit length -> index engine -> positions -> ids and labels -> hits
                                 ^                ^
                          index-*.bin  <---  store.sqlite

The store is the truth; the index is made from it.
"""

from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from receiver.knowledge_base.derived import load_or_build
from receiver.knowledge_base.index import Device, IndexEngine, make_engine
from receiver.knowledge_base.records import Description, Floats, Item, Positions
from receiver.knowledge_base.store import STORE_FILE, Contents, Store
from shared.burst import Hit
from shared.errors import InvalidInput, Mismatch, NotFound


class KnowledgeBase:
    """Items with embeddings, searched by embedding. Made by `open`.

    Searches and `get_item` may come from different threads at the same time.
    """

    def __init__(self, store: Store, contents: Contents, engine: IndexEngine) -> None:
        self._store = store
        self._engine = engine
        self._position_of = {item_id: position for position, item_id in enumerate(contents.item_ids)}
        self._item_ids = contents.item_ids
        names, codes = np.unique(np.array(contents.labels, dtype=object), return_inverse=True)
        self._labels: tuple[str, ...] = tuple(names)
        self._label_codes: Positions = codes.astype(np.int64).reshape(-1)
        self._label_codes.flags.writeable = False

    @classmethod
    def open(cls, directory: str | Path, device: Device = "auto", engine: str = "faiss-flat") -> "KnowledgeBase":
        """Open what `build_knowledge_base` wrote, prove it, and make its index ready.

        device: where the index searches; auto takes a GPU where FAISS sees one
        Raises NotFound without a knowledge base there, DataLoss when it is damaged, Mismatch for another schema,
        InvalidSetting for a device or an engine that is not there.
        """
        index = make_engine(engine, device)
        store = Store(Path(directory) / STORE_FILE)
        try:
            contents = store.read()
            load_or_build(index, Path(directory), store.fingerprint, contents.embeddings)
            return cls(store, contents, index)
        except BaseException:
            store.close()
            raise

    @property
    def description(self) -> Description:
        """What it is, in a few words."""
        origin = self._store.origin
        return Description(
            source=origin.source,
            items=len(self._item_ids),
            labels=len(self._labels),
            clip=origin.clip,
            clip_fingerprint=origin.clip_fingerprint,
            fingerprint=self._store.fingerprint,
            engine=self._engine.name,
            dim=origin.dim,
        )

    @property
    def item_ids(self) -> tuple[str, ...]:
        """Ids by position: [N]."""
        return self._item_ids

    @property
    def labels(self) -> tuple[str, ...]:
        """Each label once, sorted: [L]."""
        return self._labels

    @property
    def label_codes(self) -> Positions:
        """Position in `labels` of each item's label: [N], int64."""
        return self._label_codes

    def require_clip(self, fingerprint: str) -> None:
        """Raise Mismatch unless the embeddings come from the CLIP model with this fingerprint."""
        origin, directory = self._store.origin, self._store.path.parent
        if fingerprint != origin.clip_fingerprint:
            raise Mismatch(
                f"the knowledge base {directory} was built from {origin.source!r} with CLIP {origin.clip!r} "
                f"(fingerprint {origin.clip_fingerprint}), but CLIP with fingerprint {fingerprint} is in use; "
                f"use the same CLIP, or build it again with this one: `semlink kb build SOURCE --out {directory}`"
            )

    def nearest(self, e_hat: Floats, n: int) -> tuple[Positions, Floats]:
        """Find the n nearest items of each query, nearest first, equally near ones by position; all where n is more.

        e_hat: [B, dim], float, any length but 0
        Returns positions [B, n], int64, and cosines [B, n], float32, -1 to 1.
        """
        if n < 1:
            raise InvalidInput(f"{n} nearest items were asked for; ask for at least 1")
        queries = _unit(e_hat, self._store.origin.dim)
        positions, squared = self._engine.search(queries, min(n, len(self._item_ids)))
        return positions, np.clip(1 - squared / 2, -1, 1)  # |a - b|^2 = 2 - 2 cos for unit vectors

    def hits(self, positions: Positions, cosines: Floats) -> list[list[Hit]]:
        """Turn what `nearest` found into hits: both [B, n]. A distance below 3e-4 may read as 0."""
        distances = np.sqrt(np.maximum(2 - 2 * cosines.astype(np.float64), 0))
        return [
            [self._hit(position, distance) for position, distance in zip(found, away, strict=True)]
            for found, away in zip(positions.tolist(), distances.tolist(), strict=True)
        ]

    def search(self, e_hat: Floats, top_k: int) -> list[list[Hit]]:
        """Find the top_k nearest items of each query, nearest first. e_hat: [B, dim], float, any length but 0."""
        return self.hits(*self.nearest(e_hat, top_k))

    def get_item(self, item_id: str) -> Item:
        """One item as it is stored. Raises NotFound for an id that is not there, DataLoss when it is damaged."""
        position = self._position_of.get(item_id)
        if position is None:
            raise NotFound(
                f"the knowledge base {self._store.path.parent} has no item {item_id[:200]!r}; "
                f"ids are those that a search gives"
            )
        return self._store.read_item(position)

    def close(self) -> None:
        """Close the store's file."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _hit(self, position: int, distance: float) -> Hit:
        return Hit(self._item_ids[position], self._labels[self._label_codes[position]], distance)


def _unit(e_hat: Floats, dim: int) -> Floats:
    """Bring queries to unit length: [B, dim], float32. Raises InvalidInput naming the first without a direction."""
    if e_hat.ndim != 2 or e_hat.shape[1] != dim:
        raise InvalidInput(f"queries have shape {e_hat.shape}; this knowledge base takes [B, {dim}]")
    wide = e_hat.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    wrong = np.flatnonzero(~np.isfinite(lengths) | (lengths == 0))
    if wrong.size:
        raise InvalidInput(
            f"query {wrong[0]} has length {lengths[wrong[0], 0]}; send finite values that are not all zero"
        )
    return np.ascontiguousarray(wide / lengths, dtype=np.float32)
