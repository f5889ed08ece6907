"""Block error rates of modes, simulated once: no embedding decides them, so other embeddings need no new ones."""

from pathlib import Path
from typing import Annotated, Any, Final, Self

import numpy as np
from pydantic import Field, TypeAdapter

from shared.codecs.base.weight_files import weights_places, write_rows
from shared.codecs.digital.modem import Mode, Modem
from shared.errors import DataLoss
from shared.files import readable, replacing
from shared.phy import ChannelSettings, Link
from shared.phy.power import normalize_power
from shared.units import n0_from_snr_db

RATES: Final = "block-errors.json"
_FILE: Final = TypeAdapter(dict[str, dict[str, Any]])
_ROWS: Final = TypeAdapter(list[tuple[float, Mode, Annotated[float, Field(ge=0, le=1)]]])

Rates = dict[tuple[str, int, float, Mode], float]
"""Block error rate by fading, k, SNR in dB and mode."""


class BlockErrorRates:
    """Rates of so many bursts for each point; those that are not known are simulated when they are asked for."""

    def __init__(self, bursts: int, seed: int, known: Rates) -> None:
        self.bursts, self.seed, self._known = bursts, seed, known

    @classmethod
    def kept(cls, bursts: int, seed: int) -> Self:
        """Those with the user's weights of `vq-digital` or the shipped ones; none of other bursts or another seed."""
        kept = [cls.read(path) for path in weights_places("vq-digital", RATES) if path.exists()]
        return next((one for one in kept if (one.bursts, one.seed) == (bursts, seed)), cls(bursts, seed, {}))

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what `write` wrote. Raises DataLoss for anything else."""
        remedy = "remove it, and the shipped ones are taken"
        with readable(f"{path} holds no block error rates", DataLoss, remedy):
            tables = _FILE.validate_json(path.read_bytes())
            simulated = tables.pop("simulated")
            return cls(simulated["bursts"], simulated["seed"], {
                (fading, int(k), snr_db, mode): rate
                for fading, table in tables.items()
                for k, rows in table.items()
                for snr_db, mode, rate in _ROWS.validate_python(rows)
            })  # fmt: skip

    def of(self, mode: Mode, k: int, snr_db: float, fading: str) -> float:
        """The rate of a mode in bursts of k real symbols."""
        point = (fading, k, float(snr_db), mode)
        if point not in self._known:
            self._known[point] = simulate(Modem(mode, k // 2), snr_db, fading, self.bursts, self.seed)
        return self._known[point]

    def write(self, path: Path) -> None:
        """Write JSON, one line for each fading and k."""
        tables: dict[str, dict[str, Any]] = {"simulated": {"bursts": self.bursts, "seed": self.seed}}
        for (fading, k, snr_db, mode), rate in self._known.items():
            tables.setdefault(fading, {}).setdefault(str(k), []).append((snr_db, mode, rate))
        with replacing(path) as draft:
            write_rows(draft, tables)


def simulate(modem: Modem, snr_db: float, fading: str, bursts: int, seed: int) -> float:
    """Block error rate of a modem over `bursts` bursts, gain and noise power known."""
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 2, (bursts, modem.mode.bits), dtype=np.uint8)
    link = Link.from_settings(ChannelSettings().updated(snr_db=snr_db, fading=fading, seed=seed))
    sent = [link.transmit(x, 0, counter) for counter, x in enumerate(normalize_power(modem.modulate(bits)))]
    gain = np.stack([np.broadcast_to(np.complex64(burst.gain), burst.y.shape) for burst in sent])
    x_hat = np.stack([burst.y for burst in sent]) / gain
    noise = (n0_from_snr_db(snr_db) / np.abs(gain) ** 2).astype(np.float32)
    return float(np.mean((modem.demodulate(x_hat.astype(np.complex64), noise) != bits).any(axis=1)))
