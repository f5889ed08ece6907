"""Ready embeddings from files: `.npz`, `.npy` and Parquet. No pickle is opened."""

from collections.abc import Sequence
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from shared.datasets.picture import EmbeddingSource
from shared.datasets.tables import EMBEDDING_COLUMNS, Columns
from shared.errors import InvalidInput
from shared.types import Floats


def read_npz(path: Path) -> EmbeddingSource:
    """Arrays `embeddings` [N, dim], `ids` and `labels` [N], as `semlink features` writes them.

    `image_embeddings` and the like will do; without `ids` the rows are numbered. Also taken where they are there:
    `captions` and `splits` [N], and the texts `clip` and `clip_fingerprint`.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            given = {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise InvalidInput(f"{path} is no .npz file that can be read ({error}); write one with numpy.savez") from error
    name = embedding_column(given)
    if name is None:
        raise InvalidInput(f"{path} has no array {' or '.join(EMBEDDING_COLUMNS)}; it has {', '.join(given)}")
    ids = given.get("ids", [f"{path.stem}/{row}" for row in range(len(given[name]))])
    source = _source(path, given[name], ids, given.get("labels"), given.get("captions"))
    source.splits = given.get("splits", ())
    source.clip, source.clip_fingerprint = (str(given.get(name, "")) for name in ("clip", "clip_fingerprint"))
    return source


def read_npy(path: Path) -> EmbeddingSource:
    """One array [N, dim], or [dim] for a single one; ids are the rows' numbers, and there are no labels."""
    try:
        embeddings = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InvalidInput(f"{path} is no .npy file that can be read ({error}); write one with numpy.save") from error
    embeddings = embeddings[None] if embeddings.ndim == 1 else embeddings
    rows = len(embeddings) if embeddings.ndim else 0
    return _source(path, embeddings, [f"{path.stem}/{row}" for row in range(rows)])


def read_columns(path: Path, columns: Columns) -> EmbeddingSource:
    """A table with a column of embeddings, and `id`, `label`, `caption` and `split` if there."""
    name = embedding_column(columns)
    assert name is not None
    try:
        embeddings = np.stack(list(columns[name])).astype(np.float32)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"{path}: the column {name!r} holds no vectors of one length ({error})") from error
    ids = columns.get("id", [f"{path.stem}/{row}" for row in range(len(embeddings))])
    source = _source(path, embeddings, ids, columns.get("label"), columns.get("caption"))
    source.splits = columns.get("split", ())
    return source


def embedding_column(columns: Columns) -> str | None:
    """The column that holds embeddings, by its name; None if there is none."""
    return next((name for name in EMBEDDING_COLUMNS if name in columns), None)


def _source(
    path: Path,
    embeddings: Floats,
    ids: Sequence[str],
    labels: Sequence[str] | None = None,
    captions: Sequence[str] | None = None,
) -> EmbeddingSource:
    """A source of these rows. labels, captions: none where there are no texts."""
    if embeddings.ndim != 2 or not np.issubdtype(embeddings.dtype, np.floating):
        raise InvalidInput(
            f"{path}: the embeddings are {embeddings.dtype} {list(embeddings.shape)}; they must be floats [N, dim]"
        )
    blank = [""] * len(embeddings)
    columns = (ids, blank if labels is None else labels, captions if captions is not None and len(captions) else blank)
    lengths = {len(embeddings), *map(len, columns)}
    if len(lengths) != 1:
        raise InvalidInput(f"{path}: embeddings, ids, labels and captions have different lengths {sorted(lengths)}")
    return EmbeddingSource(path.stem, embeddings, *columns)
