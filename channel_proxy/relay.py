"""The air: what the channel makes of a burst on its way to the receiver.

Burst --> power checked --> fading, noise --> what the receiver may see
                                  |
                                  +--> channel report, ledger: for the way back
"""

import asyncio
from dataclasses import dataclass, replace
from time import perf_counter

from channel_proxy.control import ChannelControl
from shared.burst import Burst, ChannelReport, Genie
from shared.channel import ChannelSettings, Link, Transmission
from shared.channel.timing import airtime_seconds
from shared.deadline import Deadline
from shared.errors import InvalidSymbols
from shared.ledger import Entry, Kind, Stage
from shared.symbols import mean_power

POWER_TOLERANCE = 1e-3
THREAD_SYMBOLS = 8192
"""Bursts longer than this are computed off the event loop; shorter ones take less time than the hand-over."""


@dataclass(frozen=True, slots=True)
class Passed:
    """A burst that has passed the channel: what goes on, and what is told to the sender."""

    burst: Burst
    report: ChannelReport
    ledger: tuple[Entry, ...]


class Air:
    """Sends bursts through the channel. control: whose settings apply."""

    def __init__(self, control: ChannelControl) -> None:
        self._control = control

    async def carry(self, burst: Burst) -> Passed:
        """What the channel leaves of `burst`.

        Raises InvalidSymbols unless the burst has unit mean power, InvalidSetting for a wrong override, Expired past
        its deadline.
        """
        deadline = Deadline.after(burst.timeout_seconds)
        link = self._control.link_for(burst.channel_override)
        start = perf_counter()
        transmission = await _transmit(link, burst)
        computing = Entry(Stage.CHANNEL, perf_counter() - start)
        return Passed(
            _as_received(burst, transmission, deadline.remaining()),
            _report(transmission),
            (computing, *_emulated(link.settings, burst)),
        )


async def _transmit(link: Link, burst: Burst) -> Transmission:
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
    return (
        Entry(Stage.AIRTIME, airtime_seconds(settings, burst.symbols.size), Kind.EMULATED),
        Entry(Stage.PROPAGATION, settings.propagation_seconds, Kind.EMULATED),
    )


def _report(transmission: Transmission) -> ChannelReport:
    return ChannelReport(
        settings=transmission.settings,
        snr_db_achieved=transmission.snr_db_achieved,
        stream=transmission.stream,
        counter=transmission.counter,
        signal_power=transmission.signal_power,
        noise_power=transmission.noise_power,
        gain=complex(transmission.gain.mean()),
        seconds=transmission.seconds,
        air_symbols=transmission.air_symbols,
        papr_db=transmission.papr_db,
    )
