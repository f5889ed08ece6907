"""The air: each burst passes the channel on its way to the receiver.

Burst --> power checked --> fading, noise --> what the receiver may see --> next hop
Reception <-- channel report, ledger <------------------------------------ next hop
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from time import perf_counter

from channel_proxy.control import ChannelControl
from shared.burst import HEADER_SYMBOLS, Burst, ChannelReport, Genie, Reception
from shared.channel import ChannelSettings, Link, Transmission
from shared.deadline import Deadline
from shared.errors import InvalidSymbols
from shared.ledger import Entry, Kind, Stage
from shared.symbols import mean_power

POWER_TOLERANCE = 1e-3
THREAD_SYMBOLS = 8192
"""Bursts longer than this are computed off the event loop; shorter ones take less time than the hand-over."""

NextHop = Callable[[Burst], Awaitable[Reception]]


class Relay:
    """Sends bursts through the channel. control: whose settings apply. next_hop: the receiver."""

    def __init__(self, control: ChannelControl, next_hop: NextHop) -> None:
        self._control = control
        self._next_hop = next_hop

    async def relay(self, burst: Burst) -> Reception:
        """The receiver's answer to what the channel left of `burst`.

        Raises InvalidSymbols unless the burst has unit mean power, InvalidSetting for a wrong override, Expired past
        its deadline, and what the receiver raises.
        """
        deadline = Deadline.after(burst.timeout_seconds)
        link = self._control.link_for(burst.channel_override)
        start = perf_counter()
        transmission = await self._transmit(link, burst)
        seconds = perf_counter() - start
        reception = await self._next_hop(_as_received(burst, transmission, deadline.remaining()))
        entries = (*reception.ledger, Entry(Stage.CHANNEL, seconds), *_emulated(link.settings, burst))
        return replace(reception, channel=_report(transmission), ledger=entries)

    async def _transmit(self, link: Link, burst: Burst) -> Transmission:
        _check_power(burst)
        if burst.symbols.size > THREAD_SYMBOLS:
            return await asyncio.to_thread(link.transmit, burst.symbols, burst.stream, burst.counter)
        return link.transmit(burst.symbols, burst.stream, burst.counter)


def _check_power(burst: Burst) -> None:
    """Es = 1 is what makes snr_db mean Es/N0, so a burst of another power would cheat."""
    power = mean_power(burst.symbols)
    if not abs(power - 1) <= POWER_TOLERANCE:
        raise InvalidSymbols(f"the burst has mean power {power:.6g}: scale its symbols to 1 (within {POWER_TOLERANCE})")


def _as_received(burst: Burst, transmission: Transmission, timeout_seconds: float) -> Burst:
    """What the receiver gets: received symbols, no settings, and the truth only where perfect CSI was asked for."""
    genie = Genie(transmission.gain, transmission.n0) if burst.csi == "perfect" else None
    return replace(burst, symbols=transmission.y, genie=genie, channel_override={}, timeout_seconds=timeout_seconds)


def _emulated(settings: ChannelSettings, burst: Burst) -> tuple[Entry, Entry]:
    airtime = (burst.symbols.size + HEADER_SYMBOLS) / settings.symbol_rate_hz
    return (
        Entry(Stage.AIRTIME, airtime, Kind.EMULATED),
        Entry(Stage.PROPAGATION, settings.propagation_seconds, Kind.EMULATED),
    )


def _report(transmission: Transmission) -> ChannelReport:
    return ChannelReport(
        snr_db_asked=transmission.snr_db_asked,
        snr_db_achieved=transmission.snr_db_achieved,
        fading=transmission.fading,
        seed=transmission.seed,
        stream=transmission.stream,
        counter=transmission.counter,
        signal_power=transmission.signal_power,
        noise_power=transmission.noise_power,
        gain=transmission.gain,
    )
