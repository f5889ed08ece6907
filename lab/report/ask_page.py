"""The page of `semlink evaluate ask`: docs/ask.md, its figures, and the table beside it.

`python -m lab.report.ask_page out/ask docs` writes ask.md, ask.csv, ask.png and ask-pictures.png into docs.
"""

import shutil
from pathlib import Path
from typing import Any, Final

import polars as pl

from lab.evaluate.ask.bars import reached
from lab.evaluate.ask.follow_ups import as_table
from lab.evaluate.ask.points import ABLATIONS, AGNOSTIC, BITS, ON_AIR, SNRS_DB, SPLITS
from lab.evaluate.ask.senders import VALUES
from lab.report.ask_figure import draw_ask_figure, draw_pictures
from lab.report.cards import render
from lab.script import run_script
from shared.datasets.scenes import KINDS
from shared.errors import NotFound
from shared.units import decibels

_WAYS: Final = ("uo-isc", "klt-relevance", AGNOSTIC, "klt-random")


def write_ask_page(folder: Path, docs: Path) -> Path:
    """Write the page of a folder that `semlink evaluate ask` has written. Raises NotFound if there is no table."""
    file = folder / "ask.csv"
    if not file.is_file():
        raise NotFound(f"there is no table {str(file)!r}; make it with `semlink evaluate ask --out {folder}`")
    table = pl.read_csv(file, infer_schema_length=None)
    shutil.copyfile(file, docs / "ask.csv")
    more = as_table(pl.read_csv(folder / "follow-ups.csv").to_dicts())
    draw_ask_figure(table, docs / "ask.png")
    draw_pictures(docs / "ask-pictures.png")
    page = docs / "ask.md"
    page.write_text(render("report/ask.md.j2", follow_ups=more, **_values(table)), encoding="utf-8")
    return page


def _values(table: pl.DataFrame) -> dict[str, Any]:
    clean = table.filter(pl.col("snr_db").is_null())
    seen = clean.filter(split="seen")
    return {
        "questions": {split: clean.filter(split=split)["questions"][0] for split in SPLITS},
        "scenes": {split: clean.filter(split=split)["scenes"][0] for split in SPLITS},
        "bars": [
            {"bar": bar.text, "at least": bar.wanted, "reached": bar.found, "met": "yes" if bar.met else "**no**"}
            for bar in reached(table)
        ],
        "rates": [_rate_row(clean, split, bits) for split in SPLITS for bits in BITS],
        "ablations": [_ablation_row(clean, split, bits) for split in SPLITS[:2] for bits in BITS],
        "kinds": [_kind_row(row) for row in seen.filter(bits=384).iter_rows(named=True) if row["scheme"] in _WAYS],
        "pictures": [_picture_row(row) for row in seen.filter(bits=384).iter_rows(named=True)],
        "rivals": [_rival_row(row) for row in seen.iter_rows(named=True) if row["scheme"] not in (*_WAYS, *ABLATIONS)],
        "air": {name: _air_rows(table, fading) for name, fading in (("AWGN", "none"), ("Rayleigh", "rayleigh"))},
    }


def _rate_row(clean: pl.DataFrame, split: str, bits: int) -> dict[str, Any]:
    found = {row["scheme"]: row for row in clean.filter(split=split, bits=bits).iter_rows(named=True)}
    row: dict[str, Any] = {"split": split, "bits": str(bits)}
    for scheme in _WAYS:
        if scheme not in found:
            row[scheme] = ""
            continue
        row[scheme] = _both(found[scheme])
    for scheme in _WAYS[:2]:
        row[f"{scheme} − {AGNOSTIC}"] = _gain(found[scheme])
    return row


def _ablation_row(clean: pl.DataFrame, split: str, bits: int) -> dict[str, Any]:
    found = {row["scheme"]: row for row in clean.filter(split=split, bits=bits).iter_rows(named=True)}
    row: dict[str, Any] = {"split": split, "bits": str(bits), "uo-isc": _both(found["uo-isc"])}
    return row | {scheme: f"{_both(found[scheme])}, {_gain(found[scheme])}" for scheme in ABLATIONS}


def _both(row: dict[str, Any]) -> str:
    return f"{row['match']:.3f} / {row['match_witness']:.3f}"


def _gain(row: dict[str, Any]) -> str:
    gain, low, high = (100 * row[f"gain_judge{end}"] for end in ("", "_low", "_high"))
    return f"{gain:+.1f} [{low:+.1f}, {high:+.1f}]"


def _kind_row(row: dict[str, Any]) -> dict[str, Any]:
    recalls = {name: float(row[f"{name}_recall"]) for name in ("yes", "no")}
    return {
        "scheme": row["scheme"],
        **{kind: float(row[f"match_{kind}"]) for kind in KINDS},
        "yes-recall": recalls["yes"],
        "no-recall": recalls["no"],
    }


def _picture_row(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "scheme": row["scheme"],
        "accuracy": float(row["accuracy"]),
        "witness' accuracy": float(row["accuracy_witness"]),
        "off-query match": float(row["off_query"]),
        "PSNR, dB": f"{row['psnr_db']:.1f}",
        "PSNR of what is asked, dB": f"{row['psnr_db_region']:.1f}",
        "distance": float(row["distance"]),
    }


def _rival_row(row: dict[str, Any]) -> dict[str, Any]:
    picture = row["psnr_db"] is not None and row["psnr_db"] == row["psnr_db"]  # not NaN
    return {
        "scheme": row["scheme"],
        "bits": f"{row['bits_sent']:,.0f}",
        "there is a file": f"{100 * row['exists']:.0f} %",
        "match": float(row["match"]),
        "witness": float(row["match_witness"]),
        "PSNR, dB": f"{row['psnr_db']:.1f}" if picture else "no picture",
    }


def _air_rows(table: pl.DataFrame, fading: str) -> list[dict[str, Any]]:
    rows = []
    for scheme in ON_AIR:
        found = {row["snr_db"]: row for row in table.filter(scheme=scheme, fading=fading).iter_rows(named=True)
                 if row["snr_db"] is not None}  # fmt: skip
        cells = {decibels(snr_db): _air_cell(found.get(snr_db)) for snr_db in SNRS_DB}
        if found:
            rows.append({"scheme": scheme} | cells)
    return rows


def _air_cell(row: dict[str, Any] | None) -> str:
    return "" if row is None else f"{row['match']:.3f} ({row['cbr'] * VALUES:.0f})"


def main(folder: Path, docs: Path) -> None:
    """Write the page of a whole `semlink evaluate ask --out FOLDER` into the folder DOCS."""
    print(write_ask_page(folder, docs))


if __name__ == "__main__":
    run_script(main)
