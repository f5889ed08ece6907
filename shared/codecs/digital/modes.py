"""Which mode a digital codec uses at which SNR: a table that the lab makes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from shared.codecs.digital.modem import Mode
from shared.errors import DataLoss, NotFound


@dataclass(frozen=True)
class ModeTable:
    """rows: fading name -> k -> (snr_db, mode), ascending in SNR. A k without rows has no mode at all."""

    rows: Mapping[str, Mapping[int, Sequence[tuple[float, Mode]]]]

    def choose(self, k: int, snr_db: float, fading: str = "none") -> Mode:
        """The mode of the highest row that is not above `snr_db`; under all of them that of the lowest."""
        rows = self.rows[fading].get(k, ())
        if not rows:
            raise NotFound(f"no mode for k = {k}; the table has {', '.join(map(str, sorted(self.rows[fading])))}")
        fitting = [mode for least, mode in rows if least <= snr_db]
        return fitting[-1] if fitting else rows[0][1]

    def modes(self, k: int) -> tuple[Mode, ...]:
        """Every mode that a burst of this k may be sent in; a header names one by its place."""
        return tuple(sorted({mode for table in self.rows.values() for _, mode in table.get(k, ())}))

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what `write` wrote."""
        try:
            raw = json.loads(path.read_text())
            return cls(
                {
                    fading: {int(k): [(least, Mode(*mode)) for least, mode in rows] for k, rows in table.items()}
                    for fading, table in raw.items()
                }
            )
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise DataLoss(f"{path} holds no table of modes: {error}") from error

    def write(self, path: Path) -> None:
        """Write JSON, one line for each k."""
        write_rows(path, self.rows)


def write_rows(path: Path, tables: Mapping[str, Mapping[Any, Any]]) -> None:
    """Write JSON: name -> name -> row, one line for each row."""
    blocks = (
        f'  "{name}": {{\n' + ",\n".join(f'    "{key}": {json.dumps(row)}' for key, row in table.items()) + "\n  }"
        for name, table in tables.items()
    )
    path.write_text("{\n" + ",\n".join(blocks) + "\n}\n")
