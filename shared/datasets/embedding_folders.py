"""Folders of ready embeddings, as clip-retrieval, img2dataset and Hugging Face's `datasets` leave them.

    img_emb/img_emb_0.npy ...   metadata/metadata_0.parquet ...     clip-retrieval; or all of it in one folder
    data/train-00000-of-00002.parquet ...                           datasets; a column holds the embeddings

Parts are joined in the order of their numbers. Ids are those of the metadata, or the rows are numbered.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from shared.datasets.embeddings import embedding_column, read_columns, read_npy
from shared.datasets.picture import EmbeddingSource
from shared.datasets.tables import Columns, read_parquet
from shared.errors import InvalidInput

_IDS = ("id", "key", "image_path", "path", "url")


def is_embedding_folder(folder: Path) -> bool:
    """Whether a folder holds embeddings in one of these layouts."""
    return bool(_arrays(folder)) or _is_table_folder(folder)


def read_embedding_folder(folder: Path, split: str | None = None) -> EmbeddingSource:
    """All parts as one source. split: of `datasets`, the part with that name.

    Raises InvalidInput where embeddings and metadata do not belong together.
    """
    arrays = _arrays(folder)
    parts = [_with_metadata(path, folder) for path in arrays] if arrays else _tables(folder, split)
    widths = sorted({part.dim for part in parts})
    if len(widths) != 1:
        raise InvalidInput(f"{folder}: its parts have embeddings of {widths} values; give those of one CLIP")
    return EmbeddingSource(
        folder.name,
        np.concatenate([part.embeddings for part in parts]),
        [text for part in parts for text in map(str, part.ids)],
        [text for part in parts for text in map(str, part.item_labels)],
        [text for part in parts for text in map(str, part.captions)],
    )


def _arrays(folder: Path) -> list[Path]:
    """The .npy files of image embeddings, in order."""
    found = [path for place in (folder, folder / "img_emb") for path in place.glob("img_emb_*.npy")]
    return sorted(found, key=_number)


def _is_table_folder(folder: Path) -> bool:
    files = _table_files(folder, None)
    return bool(files) and embedding_column(read_parquet(files[0], rows=0)) is not None


def _table_files(folder: Path, split: str | None) -> list[Path]:
    name = f"{split}-*.parquet" if split else "*-of-*.parquet"
    return sorted(path for place in (folder, folder / "data") for path in place.glob(name))


def _tables(folder: Path, split: str | None) -> list[EmbeddingSource]:
    files = _table_files(folder, split)
    if not files:
        raise InvalidInput(f"{folder} has no part {split!r}; there are {', '.join(_splits(folder))}")
    return [read_columns(path, read_parquet(path)) for path in files]


def _splits(folder: Path) -> list[str]:
    return sorted({path.name.split("-")[0] for path in _table_files(folder, None)})


def _with_metadata(path: Path, folder: Path) -> EmbeddingSource:
    source, number = read_npy(path), _number(path)
    places = [path.parent, folder, folder / "metadata"]
    tables = [place / f"metadata_{text}.parquet" for place in places for text in {str(number), _digits(path)}]
    found = next((table for table in tables if table.is_file()), None)
    if found is None:
        return source
    columns = read_parquet(found)
    lengths = {len(source), *map(len, columns.values())}
    if len(lengths) != 1:
        raise InvalidInput(f"{path} has {len(source)} embeddings, {found} has other lengths: {sorted(lengths)}")
    ids = next((columns[name] for name in _IDS if name in columns), source.ids)
    labels, captions = (_texts(columns, name, len(source)) for name in ("label", "caption"))
    return EmbeddingSource(source.name, source.embeddings, list(map(str, ids)), labels, captions)


def _texts(columns: Columns, name: str, count: int) -> Sequence[str]:
    given: Sequence[Any] = columns.get(name, [""] * count)
    return ["" if text is None else str(text) for text in given]


def _digits(path: Path) -> str:
    found = re.findall(r"\d+", path.stem)
    return found[-1] if found else ""


def _number(path: Path) -> int:
    return int(_digits(path) or 0)
