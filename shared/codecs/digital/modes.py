"""Which mode a digital codec uses at which SNR: a table that the lab makes, and how a receiver finds the mode."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np

from shared.codecs.digital.modem import Bits, Mode, Modem, Reals
from shared.errors import DataLoss, NotFound
from shared.symbols import Complex, normalize_power

_N0_FLOOR: Final = 1e-4


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
        """Every mode that a receiver of this k must reckon with."""
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
        blocks = [
            f'  "{fading}": {{\n'
            + ",\n".join(
                f'    "{k}": {json.dumps([[least, list(mode)] for least, mode in rows])}' for k, rows in t.items()
            )
            + "\n  }"
            for fading, t in self.rows.items()
        ]
        path.write_text("{\n" + ",\n".join(blocks) + "\n}\n")


def detect(modems: Sequence[Modem], x_hat: Complex, n0_eff: Reals) -> list[Bits]:
    """Find the mode of each burst, and so its bits: B arrays [K], each as long as its mode's message.

    Each mode's decoder is tried, and its answer x sent again in thought. The most probable pair of mode and message has
    the least cost, one of 2^K messages being as likely as another:

        noise known        sum |x_hat - x|^2 / n0_eff + K ln 2
        noise not known    n ln(sum |x_hat - x|^2) + K ln 2         the same with its most likely n0

    x_hat: [B, n]. n0_eff: [B, n], NaN where the receiver does not know it.
    """
    found = [modem.demodulate(x_hat, n0_eff) for modem in modems]
    known = np.isfinite(n0_eff[:, 0])
    noise = np.where(known[:, None], np.maximum(n0_eff, _N0_FLOOR), 1.0)
    costs = []
    for modem, bits in zip(modems, found, strict=True):
        away = np.sum(np.abs(x_hat - normalize_power(modem.modulate(bits))) ** 2 / noise, axis=1)
        costs.append(np.where(known, away, modem.symbols * np.log(away + _N0_FLOOR)) + modem.mode.bits * np.log(2))
    return [found[best][row] for row, best in enumerate(np.argmin(costs, axis=0))]
