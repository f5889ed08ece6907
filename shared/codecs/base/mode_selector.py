"""Base of codecs that choose a mode, such as modulation and code rate, for each burst.

design SNR, design fading --choose--> mode --header, 6 bits--> receiver
"""

import copy
import math
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Self

import numpy as np

from shared.codecs.base.contract import BaseCodec, DesignFading, DesignSnr, Result, Source
from shared.errors import InvalidInput
from shared.phy.power import normalize_power
from shared.types import Bools, Complex


class ModeSelector(BaseCodec[Source, Result]):
    """A codec with several modes, each named by a number."""

    _fading: DesignFading = "none"
    _mode: int | None = None  # that the header named

    @abstractmethod
    def choose(self, snr_db: float, fading: DesignFading) -> int:
        """Number of the best mode at this design SNR, dB, and design fading."""

    @property
    @abstractmethod
    def mode_numbers(self) -> Sequence[int]:
        """All modes that a burst of this length may have."""

    def mode(self, snr_db: float) -> int:
        """See `BaseCodec.mode`."""
        return self.choose(self.default_design_snr_db if math.isnan(snr_db) else snr_db, self._fading)

    def with_mode(self, mode: int) -> Self:
        """See `BaseCodec.with_mode`."""
        if mode not in self.mode_numbers:
            numbers = f"{self.mode_numbers[0]} to {self.mode_numbers[-1]}"
            raise InvalidInput(f"codec {self.name} k = {self.k} has no mode {mode}: it has {numbers}")
        return self._with(_mode=mode)

    def for_fading(self, fading: DesignFading) -> Self:
        """See `BaseCodec.for_fading`."""
        return self._with(_fading=fading)

    @property
    def received_mode(self) -> int:
        """The mode that the header named; without a header, that of the default design SNR."""
        return self.mode(math.nan) if self._mode is None else self._mode

    def send(self, snr_db: DesignSnr | None, count: int, modulate: Callable[[Bools, int], Complex]) -> Complex:
        """Symbols [count, k/2], complex64, unit power: `modulate(rows, mode)` makes those of all rows of one mode."""
        numbers = np.array([self.mode(float(point)) for point in self.design_snr_db(snr_db, count)])
        x = np.empty((count, self.symbols), np.complex64)
        for number in np.unique(numbers).tolist():
            x[numbers == number] = normalize_power(modulate(numbers == number, number))
        return x

    def _with(self, **changes: object) -> Self:
        other = copy.copy(self)
        vars(other).update(changes)
        return other
