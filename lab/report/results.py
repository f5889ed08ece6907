"""The table of results as the report reads it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import polars as pl

from shared.errors import DataLoss, NotFound

CHANNELS = {
    ("none", "none"): "AWGN",
    ("none", "perfect"): "AWGN, noise power told (genie)",
    ("none", "pilot"): "AWGN, gain from pilots",
    ("rayleigh", "pilot"): "Rayleigh block fading, gain from pilots",
    ("rayleigh", "perfect"): "Rayleigh block fading, gain told (genie)",
    ("kbsc", "none"): "the paper's own Rayleigh",
}


@dataclass(frozen=True)
class Results:
    """rows: as `lab.evaluate.table.Row`. reference: what `reference.json` says of the pictures. folder: of both."""

    rows: pl.DataFrame
    reference: dict[str, Any]
    folder: Path

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read a folder that `semlink evaluate` has written."""
        if not (folder / "results.parquet").is_file():
            raise NotFound(f"there are no results in {str(folder)!r}; make them with `semlink evaluate --out {folder}`")
        try:
            rows = _named(pl.read_parquet(folder / "results.parquet"))
            return cls(rows, json.loads((folder / "reference.json").read_text(encoding="utf-8")), folder)
        except (OSError, ValueError, pl.exceptions.PolarsError) as error:
            raise DataLoss(f"{folder} holds no results that can be read: {error}") from error

    @property
    def channels(self) -> list[tuple[str, str]]:
        """Pairs (fading, csi) in the order of the table."""
        return list(self.rows.select("fading", "csi").unique(maintain_order=True).iter_rows())

    @property
    def schemes(self) -> list[str]:
        """Names in the order of the table."""
        return self.rows["scheme"].unique(maintain_order=True).to_list()

    def of(self, **wanted: str | int | float) -> pl.DataFrame:
        """Rows whose columns have these values and that were sent at all, in the order of SNR and k."""
        found = self.rows.filter(pl.col("n") > 0, **wanted)
        return found.sort("snr_db", "k")


def _named(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows, whose schemes are told apart by framing where there are several."""
    if rows["framing"].n_unique() < 2:
        return rows
    return rows.with_columns(pl.format("{}, {}", "scheme", "framing").alias("scheme"))


def channel_name(fading: str, csi: str) -> str:
    """What people call a channel."""
    return CHANNELS.get((fading, csi), f"{fading}, csi {csi}")
