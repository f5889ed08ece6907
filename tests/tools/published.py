"""Results of a comparison as one table: from a folder of `semlink evaluate`, or from the page that was published."""

import re
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from lab.report.results import CHANNELS

POINT = ["scheme", "k", "fading", "csi", "snr_db"]
_CHANNELS = {name: channel for channel, name in CHANNELS.items()}
_TABLE = "### Semantic accuracy / mean cosine: "


def of_folder(folder: Path) -> pl.DataFrame:
    """Rows of all comparisons in a folder."""
    return _of_most_pictures(pl.concat([pl.read_parquet(path) for path in sorted(folder.rglob("results.parquet"))]))


def of_page(text: str) -> pl.DataFrame:
    """Rows of all tables of accuracy on a page of `semlink report`; a page shows no overlap of neighbours."""
    rows, n, lines = [], 0, iter(text.splitlines())
    for line in lines:
        if found := re.match(r"([\d,]+)(?: to [\d,]+)? pictures for each row", line):
            n = int(found[1].replace(",", ""))
        elif line.startswith(_TABLE):
            channel = _CHANNELS[line.removeprefix(_TABLE)]
            next(lines)
            rows += [row | {"fading": channel[0], "csi": channel[1], "n": n} for row in _rows(lines)]
    table = pl.DataFrame(rows, infer_schema_length=None)
    bounds = table.filter(scheme="upper bound").select(*POINT[1:], upper_bound="semantic_accuracy").unique(POINT[1:])
    return _of_most_pictures(table.filter(pl.col("scheme") != "upper bound").join(bounds, POINT[1:], "left"))


def _rows(lines: Iterator[str]) -> list[dict[str, object]]:
    """Cells of the Markdown table that begins here."""
    snrs_db = [float(cell.removesuffix(" dB")) for cell in _cells(next(lines))[3:]]
    next(lines)
    rows = []
    while (line := next(lines)).startswith("|"):
        scheme, k, _, *cells = _cells(line)
        for snr_db, cell in zip(snrs_db, cells, strict=True):
            if cell not in ("", "—"):
                accuracy, *cosine = map(float, cell.split(" / "))
                row = {"scheme": scheme, "k": int(k), "snr_db": snr_db, "semantic_accuracy": accuracy}
                rows.append(row | {"cosine": cosine[0] if cosine else None})
    return rows


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def _of_most_pictures(rows: pl.DataFrame) -> pl.DataFrame:
    """Of the same point, the row of most pictures."""
    sent = rows.filter(pl.col("n") > 0).sort("n", descending=True, maintain_order=True)
    return sent.unique(POINT, keep="first", maintain_order=True)
