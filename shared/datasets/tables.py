"""Tables of pictures: CSV or Parquet with the columns path, label, caption, or other usual names; at least a path."""

import codecs
import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PureWindowsPath
from typing import Any

from shared.datasets.picture import Picture
from shared.datasets.reading import PLAIN, SYNONYMS, Reading
from shared.errors import Exhausted, InvalidInput, NotFound
from shared.files import readable, require_regular
from shared.printable import first_line

Columns = Mapping[str, Sequence[Any]]

_MOST_FIELD_BYTES = 1 << 20  # of one field in a CSV file
_MOST_CSV_BYTES = 1 << 30
_MOST_PARQUET_BYTES = 16 << 30  # of its columns, once they are decompressed
_VECTORS = frozenset(SYNONYMS["embedding"])
_ABOUT_URLS = "; pictures at URLs are not fetched: img2dataset makes shards of them"
_SEPARATORS = ",;\t|"
_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


class TableSource:
    """Pictures whose files a table names, relative to the table's folder. Files are read while one walks over it.

    A column of pictures may also hold the files themselves, as data sets on Hugging Face do: {bytes, path}.
    """

    split = None

    def __init__(self, path: Path, columns: Columns, reading: Reading = PLAIN) -> None:
        where = reading.column(columns, "path", path)
        if not columns:
            raise InvalidInput(f"{path} is an empty table: it has no line of column names")
        if where is None:
            raise InvalidInput(
                f"{path} has no column 'path' or one of its usual names; it has {', '.join(columns)}: "
                f"name it with --path-column{_ABOUT_URLS if 'url' in map(str.lower, columns) else ''}"
            )
        self.name = path.stem
        self._folder, self._inside = path.parent, None if reading.anywhere else path.parent
        self._contents = columns[where]
        blank = [""] * len(self._contents)
        self._labels, self._captions = (
            ["" if value is None else str(value) for value in (blank if name is None else columns[name])]
            for name in (reading.column(columns, what, path) for what in ("label", "caption"))
        )
        ids = reading.column(columns, "id", path)
        self._ids = [_name_of(row, value) for row, value in enumerate(self._contents if ids is None else columns[ids])]
        self.labels = tuple(sorted(set(self._labels)))

    def __len__(self) -> int:
        return len(self._contents)

    def __iter__(self) -> Iterator[Picture]:
        rows = zip(self._ids, self._contents, self._labels, self._captions, strict=True)
        for item_id, content, label, caption in rows:
            yield Picture(item_id, label, self._file(content), caption, self._inside)

    def _file(self, content: Any) -> Path | bytes:
        if isinstance(content, Mapping):
            inside = content.get("bytes")
            return bytes(inside) if inside else self._folder / str(content.get("path"))
        if isinstance(content, bytes):
            return content
        path = self._folder / str(content)
        if "\\" in str(content) and not path.exists():  # a table written on Windows
            return self._folder / PureWindowsPath(str(content)).as_posix()
        return path


def _name_of(row: int, value: Any) -> str:
    """The id of a row: its text, or its number where the cell holds a file without a name."""
    if isinstance(value, Mapping):
        return str(value.get("path") or row)
    return str(row) if isinstance(value, bytes) else str(value)


def read_csv(path: Path, reading: Reading = PLAIN) -> Columns:
    """Columns of a CSV file with a header: separated by comma, semicolon, tab or bar, in UTF-8 unless it is named."""
    rows: list[dict[str | Any, Any]] = []
    try:
        require_regular(path, _MOST_CSV_BYTES)
        csv.field_size_limit(_MOST_FIELD_BYTES)
        with path.open(newline="", encoding=reading.encoding or _encoding(path)) as file:
            separator = reading.separator or _separator(file.readline())
            file.seek(0)
            reader = csv.DictReader(file, strict=True, delimiter=separator)
            rows.extend(reader)
            names = list(reader.fieldnames or ())
    except UnicodeError as error:
        raise InvalidInput(
            f"{path} is no CSV file in {reading.encoding or 'UTF-8'}, after row {len(rows) + 1} "
            f"({first_line(error)}): name its encoding, such as --encoding latin-1 or --encoding cp1252"
        ) from error
    except (OSError, csv.Error, LookupError, TypeError, MemoryError) as error:
        raise InvalidInput(f"{path} is no CSV file that can be read: {first_line(error)}") from error
    for number, row in enumerate(rows, 2):
        if None in row or None in row.values():
            raise InvalidInput(
                f"{path}, row {number}: it has not the {len(names)} fields of the header, read with the separator "
                f"{separator!r}; another is named with --separator"
            )
    return {name: [row[name] for row in rows] for name in names}


def _encoding(path: Path) -> str:
    """UTF-8, or what the mark at the beginning says."""
    with path.open("rb") as file:
        start = file.read(4)
    return next((name for mark, name in _MARKS.items() if start.startswith(mark)), "utf-8")


def _separator(header: str) -> str:
    """The separator that divides the header into most fields; a comma for a single column."""
    fields = {each: len(next(csv.reader([header], delimiter=each), [])) for each in _SEPARATORS}
    return max(_SEPARATORS, key=lambda each: fields[each])


def read_parquet(path: Path) -> Columns:
    """Columns of a Parquet file.

    Numbers of classes become their names where Hugging Face's `datasets` has left them in the file.
    """
    try:
        from pyarrow import parquet  # noqa: PLC0415 - large, and only this needs it
    except ModuleNotFoundError as error:
        raise NotFound("Parquet files need pyarrow, which is not installed: pip install 'semlink[lab]'") from error
    with readable(f"{path} is no Parquet file that can be read"):
        about = parquet.ParquetFile(path).metadata
        size = sum(about.row_group(group).total_byte_size for group in range(about.num_row_groups))
        if size > _MOST_PARQUET_BYTES:
            raise Exhausted(f"{path} holds {size} bytes of columns; at most {_MOST_PARQUET_BYTES} are read: split it")
        table = parquet.read_table(path)
        # embeddings as they are, without a Python object for each value
        columns = {
            name: table.column(name).to_numpy() if name.lower() in _VECTORS else table.column(name).to_pylist()
            for name in table.column_names
        }
        return columns | _class_names(table.schema.metadata or {}, columns)


def _class_names(metadata: Mapping[bytes, bytes], columns: Columns) -> dict[str, list[str]]:
    """Columns of class numbers as names, by what `datasets` writes beside them."""
    features = json.loads(metadata.get(b"huggingface", b"{}")).get("info", {}).get("features", {})
    named = {name: about["names"] for name, about in features.items() if isinstance(about, dict) and "names" in about}
    return {
        name: ["" if number is None or number < 0 else names[number] for number in columns[name]]
        for name, names in named.items()
        if name in columns
    }
