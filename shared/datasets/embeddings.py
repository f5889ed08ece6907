"""Ready embeddings from files: `.npz`, `.npy` and Parquet. No pickle is opened."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from zipfile import ZipFile

import numpy as np

from shared.datasets.picture import EmbeddingSource
from shared.datasets.reading import PLAIN, Reading
from shared.datasets.tables import Columns
from shared.errors import Exhausted, InvalidInput
from shared.files import read_regular, readable, require_regular
from shared.local_path import local_path
from shared.types import Floats

_MOST_BYTES: Final = 64 << 30  # of the arrays of an .npz, which are read whole
_MOST_NAMES_BYTES: Final = 1 << 30


def read_npz(path: Path, reading: Reading = PLAIN) -> EmbeddingSource:
    """Arrays `embeddings` [N, dim], `ids` and `labels` [N], as `semlink features` writes them, or by their usual names.

    Rows without ids are numbered. Also taken where they are there: `captions` [N], and the texts `clip` and
    `clip_fingerprint`.
    """
    with readable(f"{path} is no .npz file that can be read", remedy="write one with numpy.savez"):
        require_regular(path, _MOST_BYTES)
        with ZipFile(path) as parts:
            size = sum(part.file_size for part in parts.infolist())
        if size > _MOST_BYTES:
            raise Exhausted(f"{path} holds arrays of {size} bytes; at most {_MOST_BYTES} are read: give them as .npy")
        with np.load(path, allow_pickle=False) as arrays:
            given = {name: arrays[name] for name in arrays.files}
    key = reading.array(given, "embeddings", path)
    if key is None:
        raise InvalidInput(
            f"{path} has no array 'embeddings' or one of its usual names; it has {', '.join(given)}: "
            "name it with --embeddings-key"
        )
    ids, labels, captions = (_array(given, reading, what, path) for what in ("ids", "labels", "captions"))
    source = make_source(path, given[key], ids, labels, captions, names=reading.names)
    source.splits = _texts(given["splits"]) if "splits" in given else ()
    source.clip, source.clip_fingerprint = (str(given.get(name, "")) for name in ("clip", "clip_fingerprint"))
    return source


def read_npy(path: Path, reading: Reading = PLAIN) -> EmbeddingSource:
    """One array [N, dim], or [dim] for a single one; ids are the lines of `reading.names`, or the rows' numbers."""
    return make_source(path, map_npy(path), names=reading.names)


def map_npy(path: Path) -> Floats:
    """The array of an .npy file, [N, dim], mapped and not read."""
    embeddings = map_array(path)
    return embeddings[None] if embeddings.ndim == 1 else embeddings


def map_array(path: Path) -> Floats:
    """The array of an .npy file, of any shape, mapped and not read. Raises InvalidInput for any other file."""
    with readable(f"{path} is no .npy file that can be read", remedy="write one with numpy.save"):
        require_regular(path, 1 << 62)  # it is mapped, however large
        # numpy.load would open an archive by that name too, and give no array
        array: Floats = np.lib.format.open_memmap(path, mode="r")
    return array


def read_columns(path: Path, columns: Columns, reading: Reading = PLAIN) -> EmbeddingSource:
    """A table with a column of embeddings, and of ids, labels and captions if there."""
    found = {what: reading.column(columns, what, path) for what in ("embedding", "id", "label", "caption")}
    taken = {what: columns[name] for what, name in found.items() if name is not None}
    with readable(f"{path}: the column {found['embedding']!r} holds no vectors of one length"):
        embeddings = np.stack(list(taken["embedding"])).astype(np.float32)
    ids, labels, captions = (
        None if what not in taken else ["" if each is None else str(each) for each in taken[what]]
        for what in ("id", "label", "caption")
    )
    source = make_source(path, embeddings, ids, labels, captions, names=reading.names)
    source.splits = columns.get("split", ())
    return source


def _array(given: Mapping[str, Any], reading: Reading, what: str, path: Path) -> Sequence[str] | None:
    name = reading.array(given, what, path)
    return None if name is None else _texts(given[name])


def _texts(values: Any) -> list[str]:
    return [str(each) for each in np.atleast_1d(values)]


def _read_names(names: str) -> list[str]:
    """The lines of a text file."""
    try:
        text = read_regular(local_path(names), _MOST_NAMES_BYTES).decode("utf-8-sig")
        return [line.strip() for line in text.splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"--names {names}: it cannot be read as UTF-8 text: {error}") from error


def make_source(
    path: Path,
    embeddings: Floats,
    ids: Sequence[str] | None = None,
    labels: Sequence[str] | None = None,
    captions: Sequence[str] | None = None,
    *,
    names: str | None = None,
) -> EmbeddingSource:
    """A source of these rows.

    ids: else the lines of the file `names`, else numbers. labels, captions: else no texts
    """
    if embeddings.ndim != 2 or not np.issubdtype(embeddings.dtype, np.floating):
        raise InvalidInput(
            f"{path}: the embeddings are {embeddings.dtype} {list(embeddings.shape)}; they must be floats [N, dim]"
        )
    if names is not None:
        ids = _read_names(names)
        if len(ids) != len(embeddings):
            raise InvalidInput(f"--names {names} has {len(ids)} lines and {path} has {len(embeddings)} embeddings")
    numbered = [f"{path.stem}/{row}" for row in range(len(embeddings))] if ids is None else ids
    blank = [""] * len(embeddings)
    columns = (
        numbered,
        blank if labels is None else labels,
        captions if captions is not None and len(captions) else blank,
    )
    lengths = dict(zip(("embeddings", "ids", "labels", "captions"), map(len, (embeddings, *columns)), strict=True))
    if len({*lengths.values()}) != 1:
        told = ", ".join(f"{count} {what}" for what, count in lengths.items())
        raise InvalidInput(f"{path}: different lengths, it has {told}")
    return EmbeddingSource(path.stem, embeddings, *columns)
