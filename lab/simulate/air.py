"""The way of a batch of bursts, by the very functions of the services.

symbols --pilots--> power checked --Link: fading, noise--> channel estimate --> equalizer --> x_hat, n0_eff
"""

from collections.abc import Iterator

import numpy as np

from lab.evaluate.scenario import Point
from receiver.decoder import Equalized, equalize_bursts
from shared.frame.burst import Burst, CodecSpec, Csi, Genie
from shared.phy import ChannelSettings, EqualizerName, Link, place_pilots
from shared.phy.power import check_power
from shared.types import Complex, Ints

_ROUND_BITS = 32  # of a counter, that number the pictures
_NO_CODEC = CodecSpec("", 0, "", "")  # the equalizer asks for none


class Air:
    """One channel with one seed. A draw depends on (seed, stream 0, counter) alone, so any order gives the same."""

    def __init__(self, point: Point, seed: int, counters: Ints) -> None:
        """counters: [B], numbers of the bursts: the positions of their pictures among the queries."""
        self._point = point
        self._link = Link.from_settings(point.channel.updated(seed=seed))
        self.counters = counters

    @property
    def channel(self) -> ChannelSettings:
        """What happens on the way; its seed is the air's own."""
        return self._link.settings

    @property
    def csi(self) -> Csi:
        """What the receiver knows of it."""
        return self._point.csi

    def later(self, rows: Ints, number: int) -> "Air":
        """The air of one more burst of some pictures, with draws of its own. rows: [b]. number: 0 for the first."""
        return Air(self._point, self.channel.seed, self.counters[rows] + (number << _ROUND_BITS))

    def carry(self, payloads: Complex, equalizer: EqualizerName | None = None) -> Equalized:
        """Send one burst for each counter.

        payloads: [B, n], complex64, unit mean power per row, or InvalidSymbols is raised. equalizer: the one that the
        decoder is made for; None for the receiver's own.
        """
        for payload in payloads:
            check_power(payload)
        return self._equalized(payloads, equalizer)

    def carry_batch(self, payloads: Complex, equalizer: EqualizerName | None = None) -> Equalized:
        """Send bursts that are one transmission: power 1 in the mean over all of them only."""
        check_power(payloads)
        return self._equalized(payloads, equalizer)

    def _equalized(self, payloads: Complex, equalizer: EqualizerName | None) -> Equalized:
        return equalize_bursts(list(self._received(payloads)), equalizer or self._point.equalizer)

    def _received(self, payloads: Complex) -> Iterator[Burst]:
        point = self._point
        for counter, payload in zip(self.counters.tolist(), payloads, strict=True):
            sent = self._link.transmit(place_pilots(payload, point.pilots, "preamble"), 0, counter)
            genie = Genie(np.atleast_1d(np.complex64(sent.gain)), sent.n0) if point.csi == "perfect" else None
            yield Burst(
                burst_id=counter,
                stream=0,
                counter=counter,
                codec=_NO_CODEC,
                pilot_symbols=point.pilots,
                symbols=sent.y,
                csi=point.csi,
                genie=genie,
                grid=point.channel.grid,
            )
