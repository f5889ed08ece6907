"""The table of results: one row for each point, kept so that an interrupted run goes on."""

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import polars as pl

from lab.evaluate.scenario import Point
from shared.errors import DataLoss
from shared.files import replacing

VERSION = 3
"""Of the measuring itself. Raise it when the same point would give another row."""


@dataclass(frozen=True)
class Row:
    """What one point gave. NaN where a scheme has no such figure, or has no form at this length (then n = 0).

    cbr: complex channel uses of the payload / (3 H W); cbr_total: with pilots and headers, all that a picture takes.
    framing: how the receiver learns what a burst is. header_symbols, waveform_symbols: of all bursts of a picture, in
    the mean; the latter are cyclic prefixes and unused subcarriers. header_bler: share of headers that were lost,
    header_undetected: that were read as others. configuration_symbols: of the control message, sent once for all
    pictures, so not in cbr_total. genie: what the receiver was
    told that a real one could not know. n: pictures sent. ci_low, ci_high: Wilson interval, 95 %. cosine: mean of
    cos(e_hat, e). knn_overlap_at_10: mean share of the ten nearest items that are those of the clean embedding.
    bler: share of messages decoded wrongly. encode_ms, decode_ms: of the codec, a picture of a batch, this machine.
    params, macs: of both halves for one picture. upper_bound: see `lab.evaluate.upper_bound`.
    """

    scheme: str
    k: int
    cbr: float
    cbr_total: float
    fading: str
    csi: str
    genie: str
    snr_db: float
    n: int = 0
    semantic_accuracy: float = math.nan
    ci_low: float = math.nan
    ci_high: float = math.nan
    semantic_agreement: float = math.nan
    cosine: float = math.nan
    knn_overlap_at_10: float = math.nan
    bler: float = math.nan
    psnr_db: float = math.nan
    encode_ms: float = math.nan
    decode_ms: float = math.nan
    params: int = 0
    macs: int = 0
    upper_bound: float = math.nan
    framing: str = "implicit"
    header_symbols: float = 0.0
    waveform_symbols: float = 0.0
    configuration_symbols: int = 0
    header_bler: float = math.nan
    header_undetected: float = math.nan


class PointStore:
    """Finished points, one small file each, named by all that the row depends on."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def key(self, point: Point, scheme_fingerprint: str, test_set_fingerprint: str) -> str:
        """32 hexadecimal digits over the point, the scheme's parameters, the pictures and the way of measuring."""
        parts = [VERSION, point.model_dump_json(), scheme_fingerprint, test_set_fingerprint]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]

    def get(self, key: str) -> Row | None:
        """The row of a finished point, or None."""
        path = self._path(key)
        if not path.exists():
            return None
        try:
            return Row(**json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            raise DataLoss(f"{path} holds no finished point ({error}); remove it, and it is measured again") from error

    def put(self, key: str, row: Row) -> None:
        """Keep a row; a crash leaves it whole or not at all."""
        _write(self._path(key), json.dumps(asdict(row)).encode())

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.json"


def write_table(rows: Sequence[Row], folder: Path) -> pl.DataFrame:
    """Write `results.csv` and `results.parquet`, each the old or the new one at any time."""
    types = {name: {str: pl.String, int: pl.Int64, float: pl.Float64}[kind] for name, kind in _COLUMNS.items()}
    table = pl.DataFrame([asdict(row) for row in rows], schema=types)
    for name, write in (("results.csv", table.write_csv), ("results.parquet", table.write_parquet)):
        with replacing(folder / name) as temporary:
            write(temporary)
    return table


_COLUMNS: dict[str, type] = dict(Row.__annotations__)


def _write(path: Path, data: bytes) -> None:
    with replacing(path) as temporary:
        temporary.write_bytes(data)
