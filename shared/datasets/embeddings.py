"""Ready embeddings from files: `.npz`, `.npy` and Parquet. No pickle is opened."""

from collections.abc import Sequence
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from shared.datasets.picture import EmbeddingSource
from shared.datasets.tables import Columns
from shared.errors import InvalidInput
from shared.types import Floats


def read_npz(path: Path) -> EmbeddingSource:
    """Arrays `embeddings` [N, dim], `ids` and `labels` [N], as `semlink features` writes them.

    Also taken where they are there: `captions` [N], and the texts `clip` and `clip_fingerprint`.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            given = {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise InvalidInput(f"{path} is no .npz file that can be read ({error}); write one with numpy.savez") from error
    if missing := {"embeddings", "ids"} - given.keys():
        raise InvalidInput(f"{path} has no array {' and '.join(sorted(missing))}; it has {', '.join(given)}")
    source = _source(path, given["embeddings"], given["ids"], given.get("labels"), given.get("captions"))
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
    """A table with the columns `id` and `embedding`, and `label` and `caption` if there."""
    if "id" not in columns:
        raise InvalidInput(f"{path} has a column 'embedding' but no column 'id'; it has {', '.join(columns)}")
    try:
        embeddings = np.stack(list(columns["embedding"])).astype(np.float32)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"{path}: the column 'embedding' holds no vectors of one length ({error})") from error
    return _source(path, embeddings, columns["id"], columns.get("label"), columns.get("caption"))


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
