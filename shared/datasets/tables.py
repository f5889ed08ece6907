"""Tables of pictures: CSV or Parquet with the columns path, label, caption. Only `path` must be there."""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from shared.datasets.picture import Picture
from shared.errors import InvalidInput, NotFound

Columns = Mapping[str, Sequence[Any]]

_MOST_FIELD_BYTES = 1 << 20  # of one field in a CSV file


class TableSource:
    """Pictures whose files a table names, relative to the table's folder. Files are read while one walks over it."""

    split = None

    def __init__(self, path: Path, columns: Columns) -> None:
        if "path" not in columns:
            raise InvalidInput(f"{path} has no column 'path'; it has {', '.join(columns) or 'none'}")
        self.name = path.stem
        self._folder = path.parent
        self._paths = [str(value) for value in columns["path"]]
        blank = [""] * len(self._paths)
        self._labels, self._captions = (
            ["" if value is None else str(value) for value in columns.get(name, blank)] for name in ("label", "caption")
        )
        self._ids = [str(value) for value in columns.get("id", self._paths)]
        self.labels = tuple(sorted(set(self._labels)))

    def __len__(self) -> int:
        return len(self._paths)

    def __iter__(self) -> Iterator[Picture]:
        for item_id, path, label, caption in zip(self._ids, self._paths, self._labels, self._captions, strict=True):
            yield Picture(item_id, label, self._folder / path, caption)


def read_csv(path: Path) -> Columns:
    """Columns of a CSV file with a header, UTF-8."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            csv.field_size_limit(_MOST_FIELD_BYTES)
            reader = csv.DictReader(file, strict=True)
            rows = list(reader)
            names = list(reader.fieldnames or ())
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidInput(f"{path} is no CSV file in UTF-8 that can be read: {error}") from error
    for number, row in enumerate(rows, 2):
        if None in row or None in row.values():
            raise InvalidInput(f"{path}, row {number}: it has not the {len(names)} fields of the header")
    return {name: [row[name] for row in rows] for name in names}


EMBEDDING_COLUMNS: Final = ("embedding", "embeddings", "image_embedding", "image_embeddings", "image_embeds", "emb")


def read_parquet(path: Path, rows: int | None = None) -> Columns:
    """Columns of a Parquet file. rows: how many, all by default.

    Numbers of classes become their names where Hugging Face's `datasets` has left them in the file.
    """
    try:
        import pyarrow as arrow  # noqa: PLC0415 - large, and only this needs it
        from pyarrow import parquet  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise NotFound("Parquet files need pyarrow, which is not installed: pip install 'semlink[lab]'") from error
    try:
        table = parquet.read_table(path).slice(0, rows)
        # embeddings as they are, without a Python object for each value
        columns = {
            name: table.column(name).to_numpy() if name in EMBEDDING_COLUMNS else table.column(name).to_pylist()
            for name in table.column_names
        }
        return columns | _class_names(table.schema.metadata or {}, columns)
    except (arrow.ArrowException, OSError) as error:
        raise InvalidInput(f"{path} is no Parquet file that can be read: {error}") from error


def _class_names(metadata: Mapping[bytes, bytes], columns: Columns) -> dict[str, list[str]]:
    """Columns of class numbers as names, by what `datasets` writes beside them."""
    features = json.loads(metadata.get(b"huggingface", b"{}")).get("info", {}).get("features", {})
    named = {name: about["names"] for name, about in features.items() if isinstance(about, dict) and "names" in about}
    return {
        name: ["" if number is None or number < 0 else names[number] for number in columns[name]]
        for name, names in named.items()
        if name in columns
    }
