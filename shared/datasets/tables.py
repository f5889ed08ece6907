"""Tables of pictures: CSV or Parquet with the columns path, label, caption. Only `path` must be there."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

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


def read_parquet(path: Path) -> Columns:
    """Columns of a Parquet file."""
    try:
        import pyarrow as arrow  # noqa: PLC0415 - large, and only this needs it
        from pyarrow import parquet  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise NotFound("Parquet files need pyarrow, which is not installed: pip install 'semlink[lab]'") from error
    try:
        table = parquet.read_table(path)
        # embeddings as they are, without a Python object for each value
        return {
            name: table.column(name).to_numpy() if name == "embedding" else table.column(name).to_pylist()
            for name in table.column_names
        }
    except (arrow.ArrowException, OSError) as error:
        raise InvalidInput(f"{path} is no Parquet file that can be read: {error}") from error
