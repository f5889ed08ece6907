"""Embeddings in the lay-out of clip-retrieval and of LAION: parts by number, texts beside them.

    FOLDER/img_emb/img_emb_0.npy             [N, dim]
    FOLDER/metadata/metadata_0.parquet       N rows: image_path or key, caption, ...

A folder of .npy parts alone is taken too; its ids are rows' numbers.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from shared.datasets.embeddings import make_source, map_npy
from shared.datasets.joined import join_embeddings
from shared.datasets.patterns import natural
from shared.datasets.picture import EmbeddingSource
from shared.datasets.reading import SYNONYMS, Reading
from shared.datasets.tables import Columns, read_parquet
from shared.errors import InvalidInput

_ID_COLUMNS: Final = ("image_path", "key", *SYNONYMS["id"], "path", "url")


def find_parts(folder: Path) -> list[Path]:
    """The parts with embeddings of images of a folder; none where it has another lay-out."""
    for inner in (folder / "img_emb", folder):
        if parts := sorted(inner.glob("img_emb*.npy"), key=lambda path: natural(path.name)):
            return parts
    return []


def open_parts(folder: Path, parts: Sequence[Path], reading: Reading) -> EmbeddingSource:
    """All parts, in the order of their numbers; one that cannot be read is skipped and listed, unless strict."""
    sources = []
    described = any(map(_metadata_of, parts))
    for part in parts:
        try:
            if described and _metadata_of(part) is None:
                raise InvalidInput(f"the metadata of {part} are missing, and those of other parts are there")
            sources.append(open_part(part, reading))
        except InvalidInput as error:
            if reading.strict:
                raise
            reading.skipped.append((str(part), str(error)))
    if not sources:
        raise InvalidInput(f"no part of {folder} can be read; the first: {reading.skipped[0][1]}")
    if len(sources) == 1:
        return sources[0]
    return join_embeddings(folder.name, [source.name for source in sources], sources)


def open_part(part: Path, reading: Reading) -> EmbeddingSource:
    """One part and the metadata of its number."""
    embeddings = map_npy(part)
    metadata = _metadata_of(part)
    if metadata is None:
        return make_source(part, embeddings)
    columns = read_parquet(metadata)
    rows = len(next(iter(columns.values()), ()))
    if rows != len(embeddings):
        raise InvalidInput(f"{part} has {len(embeddings)} embeddings and {metadata} has {rows} rows; they do not match")
    label, caption = (_column(columns, reading, what, metadata) for what in ("label", "caption"))
    return make_source(part, embeddings, _ids(columns, reading, metadata), label, caption)


def _metadata_of(part: Path) -> Path | None:
    number = re.search(r"(\d+)$", part.stem)
    name = f"metadata_{number[1]}.parquet" if number else "metadata.parquet"
    folders = (part.parent.parent / "metadata", part.parent, part.parent / "metadata")
    return next((folder / name for folder in folders if (folder / name).is_file()), None)


def _ids(columns: Columns, reading: Reading, metadata: Path) -> Sequence[str] | None:
    """The first column that names each row differently."""
    own = reading.columns.get("id")
    if own is not None:
        return _texts(columns[reading.column(columns, "id", metadata) or ""])
    by_case = {name.lower(): name for name in columns}
    for name in _ID_COLUMNS:
        if name in by_case:
            texts = _texts(columns[by_case[name]])
            if all(texts) and len(set(texts)) == len(texts):
                return texts
    return None


def _column(columns: Columns, reading: Reading, what: str, metadata: Path) -> Sequence[str] | None:
    name = reading.column(columns, what, metadata)
    return None if name is None else _texts(columns[name])


def _texts(values: Sequence[Any]) -> list[str]:
    return ["" if value is None else str(value) for value in values]
