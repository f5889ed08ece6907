"""Several sources as one, in their order.

Ids of pictures begin with the source's name, since members of two shards may have the same; so do those of embeddings
where some are the same.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from shared.datasets.picture import EmbeddingSource, Picture, PictureSource
from shared.errors import InvalidInput


class JoinedSource:
    """Pictures of several sources. names: of the sources, all different."""

    split = None

    def __init__(self, name: str, names: Sequence[str], sources: Sequence[PictureSource]) -> None:
        self.name = name
        self._names, self._sources = names, sources

    @property
    def labels(self) -> tuple[str, ...]:
        """The distinct labels of all."""
        return tuple(sorted({label for source in self._sources for label in source.labels}))

    def __len__(self) -> int:
        return sum(map(len, self._sources))

    def __iter__(self) -> Iterator[Picture]:
        for name, source in zip(self._names, self._sources, strict=True):
            for picture in source:
                yield replace(picture, id=f"{name}/{picture.id}")


def join(specs: Sequence[str], sources: Sequence[PictureSource | EmbeddingSource]) -> PictureSource | EmbeddingSource:
    """One source of several. Raises InvalidInput for pictures beside embeddings, or embeddings of two models."""
    if len(sources) == 1:
        return sources[0]
    names = _names(specs, [source.name for source in sources])
    whole = f"{names[0]} and {len(names) - 1} more"
    embedded = [source for source in sources if isinstance(source, EmbeddingSource)]
    if len(embedded) == len(sources):
        return join_embeddings(whole, names, embedded)
    if embedded:
        raise InvalidInput(f"{embedded[0].name} holds embeddings and others hold pictures; build from one kind")
    return JoinedSource(whole, names, [source for source in sources if not isinstance(source, EmbeddingSource)])


def join_embeddings(name: str, names: Sequence[str], parts: Sequence[EmbeddingSource]) -> EmbeddingSource:
    """The parts below one another, in their order."""
    for what in ("dim", "clip", "clip_fingerprint"):
        said = {getattr(part, what) for part in parts}
        if len(said) > 1:
            shown = " and ".join(sorted(map(str, said)))
            raise InvalidInput(f"the parts of {name!r} differ in {what}: {shown}; build a knowledge base of each")
    ids = [each for part in parts for each in part.ids]
    if len(set(ids)) < len(ids):
        ids = [f"{one}/{each}" for one, part in zip(names, parts, strict=True) for each in part.ids]
    captions = [text for part in parts for text in (part.captions if len(part.captions) else [""] * len(part))]
    return EmbeddingSource(
        name,
        np.concatenate([part.embeddings for part in parts]),
        ids,
        [label for part in parts for label in part.item_labels],
        captions,
        parts[0].clip,
        parts[0].clip_fingerprint,
    )


def _names(specs: Sequence[str], names: Sequence[str]) -> list[str]:
    """The sources' own names; where two are equal, what the user typed."""
    if len(set(names)) == len(names):
        return list(names)
    if len(set(specs)) < len(specs):
        raise InvalidInput(f"the source {max(specs, key=specs.count)!r} is named twice")
    return [Path(spec).with_suffix("").as_posix().lstrip("/") for spec in specs]
