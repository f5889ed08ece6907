"""Link adaptation for pictures: the MCS table of 5G, with simulated SNR thresholds."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Self

import numpy as np
from scipy.special import gammaincc

from shared.codecs.base.weight_files import weights_path
from shared.codecs.digital.modem import Mode
from shared.errors import DataLoss


class Mcs(NamedTuple):
    """Modulation and coding scheme. order: coded bits per QAM symbol. rate: information bits per coded bit."""

    order: int
    rate: float

    def mode(self, symbols: int) -> Mode:
        """The mode that fills `symbols` symbols."""
        return Mode(int(symbols * self.order * self.rate), self.order)


# 3GPP TS 38.214, table 5.1.3.1-1, preceded by the low rates of table 5.1.3.1-3; rates in 1/1024.
_RATES = {
    2: (30, 40, 50, 64, 78, 99, 120, 157, 193, 251, 308, 379, 449, 526, 602, 679),
    4: (340, 378, 434, 490, 553, 616, 658),
    6: (438, 466, 517, 567, 616, 666, 719, 772, 822, 873, 910, 948),
}
MCS: Final = tuple(Mcs(order, rate / 1024) for order, rates in _RATES.items() for rate in rates)

BLOCK_SYMBOLS: Final = 1024
BACK_OFF_DB: Final = {"none": 0.5, "fast": 1.5, "block": 0.5}
"""Margin over the simulated threshold: blocks may be shorter, one lost block loses a whole mosaic, and under fading the
gain is an estimate."""


@dataclass(frozen=True)
class Adaptation:
    """Tables for the choice of the MCS.

    thresholds_db: lowest SNR at which at most 1 % of blocks are lost, for each of `MCS`: `none` over AWGN, `fast` with
    a known Rayleigh gain for each symbol. worth: format -> (bytes, accuracy) of single pictures.
    """

    thresholds_db: Mapping[str, Sequence[float]]
    worth: Mapping[str, Sequence[tuple[int, float]]]

    def choose(self, snr_db: float, fading: str, worth_of: Callable[[Mcs], float], transmissions: int = 1) -> Mcs:
        """The MCS with the highest expected worth; the most robust one if all are worth 0.

        fading: `none` and `fast` compare with the threshold; `block` is one Rayleigh gain for each transmission of the
        whole block. transmissions: most of a block, combined by their gains (Chase combining). It is decoded with
        probability P(sum |h_i|^2 SNR > threshold) = Q(transmissions, threshold / SNR), the regularized upper incomplete
        gamma function, which is exp(-threshold / SNR) for one.
        """
        thresholds = np.array(self.thresholds_db["fast" if fading == "fast" else "none"]) + BACK_OFF_DB[fading]
        if fading == "block":
            decoded = gammaincc(transmissions, np.power(10.0, (thresholds - snr_db) / 10))
        else:
            decoded = (thresholds <= snr_db).astype(float)
        expected = decoded * [worth_of(mcs) for mcs in MCS]
        return MCS[int(np.argmax(expected))]

    def accuracy(self, kind: str, size: int) -> float:
        """Semantic accuracy of single pictures of `size` bytes; 0 below the smallest measured size."""
        sizes, values = zip(*self.worth[kind], strict=True)
        return float(np.interp(size, sizes, values, left=0.0))

    @classmethod
    def load(cls) -> Self:
        """Read the file that `semlink train digital-pictures` writes."""
        path = weights_path("digital-pictures", "adaptation.json")
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise DataLoss(
                f"{path} holds no adaptation ({error}): run `semlink train digital-pictures --data DIR`"
            ) from error
