"""The air: what the channel makes of a burst on its way to the receiver.

Burst --> settings, faults --> power checked --> physics, many bursts at a time --> what the receiver may see
                                                   |
                                                   +--> channel report: for the way back
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

from channel_proxy.control import ChannelControl
from channel_proxy.counters import Counters
from shared.frame.burst import Burst, Genie
from shared.frame.reception import ChannelReport
from shared.phy import ChannelSettings, Link, Sending, Transmission
from shared.phy.channel.ofdm import air_symbols
from shared.phy.conditions.faults import FaultDraw, draw_faults
from shared.phy.conditions.settings import SELECTIVE
from shared.phy.power import check_power
from shared.runtime.batching import settle

THREAD_SYMBOLS = 8192
"""Bursts of more symbols together are computed off the event loop; fewer take less time than the hand-over."""
_PATHS = 8
"""Symbols of a plain channel that take as long as one of a delay line."""


@dataclass(frozen=True, slots=True)
class Relayed:
    """A burst that has passed the channel.

    burst: as it was sent. transmission: what the physics made of it. fault: what was drawn for it as a whole.
    computing_seconds: from its arrival to here.
    """

    burst: Burst
    transmission: Transmission
    fault: FaultDraw
    computing_seconds: float

    @property
    def settings(self) -> ChannelSettings:
        """The settings that held for it."""
        return self.transmission.settings

    @property
    def received(self) -> Burst:
        """The burst with its received symbols."""
        return as_received(self.burst, self.transmission)


class Air:
    """Sends bursts through the channel. control: whose settings apply. counters: what is inside.

    A burst that is alone inside waits for nobody. Others wait for a turn of the event loop, so that those that came in
    one message are together; of them, those of one link and length are drawn and applied together.
    """

    def __init__(self, control: ChannelControl, counters: Counters) -> None:
        self._control = control
        self._counters = counters
        self._groups: dict[tuple[int, int], _Group] = {}
        self._threads: set[asyncio.Task[None]] = set()

    async def carry(self, burst: Burst) -> Relayed:
        """What the channel leaves of `burst`.

        Raises InvalidSymbols unless the burst has unit mean power, InvalidSetting for a wrong override.
        """
        start = perf_counter()
        link = self._control.link_for(burst)
        check_power(burst.symbols)
        if self._at_once(link, burst):
            transmission = link.transmit(burst.symbols, burst.stream, burst.counter)
        else:
            transmission = await self._together(link, burst)
        fault = draw_faults(link.settings, burst.stream, burst.counter)
        return Relayed(burst, transmission, fault, perf_counter() - start)

    def _at_once(self, link: Link, burst: Burst) -> bool:
        """Whether a burst need not wait: it is short, and alone inside."""
        return self._counters.in_flight <= 1 and _work(link, burst.symbols.size) <= THREAD_SYMBOLS

    def _together(self, link: Link, burst: Burst) -> "asyncio.Future[Transmission]":
        loop = asyncio.get_running_loop()
        if not self._groups:
            loop.call_soon(self._flush)
        key = id(link), burst.symbols.size
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = _Group(link, [], [])
        group.sendings.append(Sending(burst.symbols, burst.stream, burst.counter))
        group.futures.append(loop.create_future())
        return group.futures[-1]

    def _flush(self) -> None:
        groups, self._groups = self._groups, {}
        for group in groups.values():
            if group.work <= THREAD_SYMBOLS:
                group.settle(group.compute())
            else:
                task = asyncio.create_task(_in_thread(group))
                self._threads.add(task)  # the loop alone would not keep it
                task.add_done_callback(self._threads.discard)


@dataclass(slots=True)
class _Group:
    """Bursts of one link and one length, and who waits for each."""

    link: Link
    sendings: list[Sending]
    futures: list[asyncio.Future[Transmission]]

    @property
    def work(self) -> int:
        """What computing all its bursts takes, in symbols of a plain channel."""
        return len(self.sendings) * _work(self.link, self.sendings[0].x.size)

    def compute(self) -> Sequence[Transmission | Exception]:
        """All of them together; should that fail, each alone, so that a bad one does not fail its neighbours."""
        try:
            return self.link.transmit_many(self.sendings)
        except Exception as error:
            if len(self.sendings) == 1:
                return [error]
            return [outcome for sending in self.sendings for outcome in replace(self, sendings=[sending]).compute()]

    def settle(self, outcomes: Sequence[Transmission | Exception]) -> None:
        """Give each its outcome."""
        for future, outcome in zip(self.futures, outcomes, strict=True):
            settle(future, outcome)


def _work(link: Link, symbols: int) -> int:
    """What computing a burst takes, in symbols of a plain channel."""
    paths = _PATHS if link.settings.fading in SELECTIVE else 1
    return paths * air_symbols(link.settings.grid, symbols)


async def _in_thread(group: _Group) -> None:
    group.settle(await asyncio.to_thread(group.compute))


def arrived(burst: Burst, transmission: Transmission) -> dict[str, Any]:
    """What the air changes of a burst: received symbols, and the truth only where perfect CSI was asked for."""
    genie = Genie(transmission.gain, transmission.n0) if burst.csi == "perfect" else None
    return {"symbols": transmission.y, "genie": genie, "grid": transmission.settings.grid}


def as_received(burst: Burst, transmission: Transmission) -> Burst:
    """The burst with what arrived of it; a receiver gets no more of it than `Burst.heard`."""
    return replace(burst, channel_override={}, **arrived(burst, transmission))


def report_of(transmission: Transmission) -> ChannelReport:
    """What is told to the sender."""
    return ChannelReport(
        settings=transmission.settings,
        snr_db_achieved=transmission.snr_db_achieved,
        stream=transmission.stream,
        counter=transmission.counter,
        signal_power=transmission.signal_power,
        noise_power=transmission.noise_power,
        gain=complex(transmission.gain[0] if transmission.gain.size == 1 else transmission.gain.mean()),
        seconds=transmission.seconds,
        air_symbols=transmission.air_symbols,
        papr_db=transmission.papr_db,
    )
