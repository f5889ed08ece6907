"""Ready embeddings to learn from and to compare on: files of arrays, Parquet, folders of them, or a knowledge base.

They hold the parts `train`, `query` and `kb`, named by `splits` of an .npz or the column `split`; otherwise one of ten,
always the same ones, are queries, and the others are what is learned from and the knowledge base at once.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from lab.data.codec_data import CodecData, LabelledEmbeddings, split_train
from lab.data.features import Features
from receiver.knowledge_base import KnowledgeBase
from shared.datasets import EmbeddingSource, open_embeddings
from shared.errors import InvalidInput, InvalidSetting, Mismatch
from shared.types import Embeddings, Ints

_PARTS: Final = {"train": "train", "query": "query", "test": "query", "kb": "kb", "gallery": "kb", "index": "kb"}
_QUERIES: Final = 10  # one of so many asks
_LEAST: Final = 50


class ClipName(NamedTuple):
    """Which CLIP made embeddings."""

    name: str
    fingerprint: str


@dataclass(frozen=True)
class ReadySet:
    """Embeddings in three parts.

    train, query, kb: positions in `features`; train and kb are the same where the file names no parts
    """

    name: str
    features: Features
    clip: ClipName
    train: Ints
    query: Ints
    kb: Ints

    @property
    def labelled(self) -> bool:
        """Whether labels tell anything."""
        return len(set(self.features.labels.tolist())) > 1

    def numbered(self, part: Ints) -> LabelledEmbeddings:
        """A part with the numbers of its labels in the whole set; 0 without labels."""
        numbers = np.unique(self.features.labels, return_inverse=True)[1].astype(np.int64)
        return LabelledEmbeddings(self.features.embeddings[part], numbers[part])

    def part(self, positions: Ints) -> Features:
        """A part as features."""
        whole = self.features
        return Features(whole.embeddings[positions], whole.labels[positions], whole.ids[positions], (), *self.clip)

    def test(self) -> tuple[Features, Features]:
        """Queries and knowledge base. Without labels every item is a label of its own, right for the queries that it is
        the nearest to: accuracy then is agreement with the decision from the clean embedding.
        """
        query, kb = self.part(self.query), self.part(self.kb)
        if self.labelled:
            return query, kb
        nearest = nearest_items(query.embeddings, kb.embeddings)
        return (
            Features(query.embeddings, kb.ids[nearest], query.ids, (), *self.clip),
            Features(kb.embeddings, kb.ids, kb.ids, (), *self.clip),
        )

    def codec_data(self, seed: int) -> CodecData:
        """What a codec learns from and is judged by."""
        query, kb = (LabelledEmbeddings(part.embeddings, part.labels) for part in self.test())  # type: ignore[arg-type]
        names = np.unique(np.concatenate([query.labels, kb.labels]))
        tests = {self.name: tuple(part._replace(labels=np.searchsorted(names, part.labels)) for part in (query, kb))}
        train = self.numbered(self.train)
        labels, numbers = np.unique(train.labels, return_inverse=True)
        data = split_train(
            train._replace(labels=numbers.astype(np.int64)),
            np.zeros(len(labels), np.int64),
            seed,
            tests,  # type: ignore[arg-type]
        )
        return data if self.labelled else data.judged_by_item()


def nearest_items(queries: Embeddings, items: Embeddings) -> Ints:
    """Position of the nearest item of each query."""
    found: Ints = np.concatenate(
        [(part @ items.T).argmax(axis=1) for part in np.array_split(queries, 1 + len(queries) // 1000)]
    )
    return found


def open_ready(spec: str, clip: ClipName | None = None) -> ReadySet:
    """Open embeddings: .npz, .npy, .parquet, a folder of them, or a knowledge base on disk.

    clip: which CLIP made them, where they do not say it. Raises InvalidSetting where neither says it, Mismatch where
    both do and differ, InvalidInput for too few, or without the parts.
    """
    source = _knowledge_base(Path(spec)) if _is_knowledge_base(Path(spec)) else open_embeddings(Path(spec))
    said = ClipName(source.clip or "CLIP", source.clip_fingerprint) if source.clip_fingerprint else None
    if clip and said and clip.fingerprint != said.fingerprint:
        raise Mismatch(f"{spec} was made by CLIP {said.fingerprint}, not by {clip.fingerprint}: leave the option out")
    if (made_by := said or clip) is None:
        raise InvalidSetting(
            f"{spec} does not say which CLIP made it: give --clip-fingerprint HEX (`semlink features --json` prints it "
            "for a model that you have, `semlink kb info` for a knowledge base). A codec fits one CLIP alone, and the "
            "link compares fingerprints"
        )
    if len(source) < _LEAST:
        raise InvalidInput(f"{spec} holds {len(source)} embeddings; learning needs at least {_LEAST}, better 1,000")
    features = Features(
        _unit(source, spec),
        np.array([*map(str, source.item_labels)], np.str_),
        np.array([*map(str, source.ids)], np.str_),
    )
    return ReadySet(Path(spec).stem or source.name, features, made_by, *_parts(source, spec))


def _is_knowledge_base(path: Path) -> bool:
    return path.is_dir() and (path / "current").is_file()


def _knowledge_base(path: Path) -> EmbeddingSource:
    """The items of a knowledge base."""
    with KnowledgeBase.open(path) as base:
        view = base.view
        positions: npt.NDArray[np.int64] = np.flatnonzero(view.live)
        labels = [view.labels[code] for code in view.labels_of(positions)]
        origin = view.store.origin
        ids = [f"{path.name}/{position}" for position in positions]
        return EmbeddingSource(
            path.name, view.embeddings_of(positions), ids, labels, (), origin.clip, origin.clip_fingerprint
        )


def _unit(source: EmbeddingSource, spec: str) -> Embeddings:
    wide = np.asarray(source.embeddings, np.float32)
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    wrong = np.flatnonzero(~((lengths > 0) & np.isfinite(lengths)))
    if wrong.size:
        raise InvalidInput(
            f"{spec}: {wrong.size} embeddings are zero or not finite, {source.ids[wrong[0]]!r} among them"
        )
    unit: Embeddings = (wide / lengths).astype(np.float32)
    return unit


def _parts(source: EmbeddingSource, spec: str) -> tuple[Ints, Ints, Ints]:
    """Positions of what is learned from, of queries and of items."""
    if not len(source.splits):
        order = np.random.default_rng(0).permutation(len(source))
        asking, others = np.split(order, [len(order) // _QUERIES])
        return np.sort(others), np.sort(asking), np.sort(others)
    parts = np.array([_PARTS.get(str(name), "") for name in source.splits])
    found = {name: np.flatnonzero(parts == name) for name in ("train", "query", "kb")}
    found["kb"] = found["kb"] if found["kb"].size else found["train"]
    if missing := [name for name, positions in found.items() if not positions.size]:
        given = ", ".join(sorted({*map(str, source.splits)}))
        raise InvalidInput(
            f"{spec} has the splits {given} and no {' and '.join(missing)}; name them train, query and kb"
        )
    if (count := found["train"].size) < _LEAST // 2:
        raise InvalidInput(
            f"the part train of {spec} holds {count} embeddings; learning needs at least {_LEAST // 2}, better 1,000"
        )
    return found["train"], found["query"], found["kb"]
