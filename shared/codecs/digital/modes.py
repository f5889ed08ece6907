"""Which mode a digital codec uses at which SNR: a table that the lab makes, and how a receiver finds the mode."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from shared.codecs.digital.modem import Bits, Mode, Modem, Reals
from shared.errors import DataLoss, NotFound
from shared.symbols import Complex


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


def detect(modems: Sequence[Modem], x_hat: Complex, n0_eff: Reals) -> list[tuple[int, Bits]]:
    """Find the mode of each burst, and its bits: B pairs of a position in `modems` and bits [K].

    Each mode's decoder is tried, and its answer sent again in thought. The most probable pair of mode and bits is the
    one with the least |x_hat - x|^2 / n0_eff + K ln 2: the likelihood, and one of 2^K messages as likely as another.
    x_hat: [B, n]. n0_eff: [B, n], known.
    """
    found = [modem.demodulate(x_hat, n0_eff) for modem in modems]
    costs = np.stack(
        [
            np.sum(np.abs(x_hat - modem.modulate(bits)) ** 2 / n0_eff, axis=1) + modem.mode.bits * np.log(2)
            for modem, bits in zip(modems, found, strict=True)
        ]
    )
    return [(int(best), found[best][row]) for row, best in enumerate(np.argmin(costs, axis=0))]


def known_noise(x_hat: Complex, n0_eff: Reals) -> Reals:
    """n0_eff, and where the receiver does not know it an estimate: E|x_hat|^2 = 1 + n0, over the burst: [B, n]."""
    power = np.mean(np.abs(x_hat) ** 2, axis=1, keepdims=True)
    guess = np.broadcast_to(np.maximum(power - 1, 1e-3), x_hat.shape)
    return np.where(np.isnan(n0_eff), guess, np.maximum(n0_eff, 1e-4)).astype(np.float32)
