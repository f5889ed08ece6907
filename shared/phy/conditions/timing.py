"""When a burst is on the air, and for how long."""

from typing import Final

from shared.phy.conditions.settings import ChannelSettings

HEADER_SYMBOLS: Final = 16
"""Channel uses of a burst's header: 16 bits in QPSK at rate 1/2, 1 bit a symbol.

4 bits name the codec, 3 its length, 6 the mode that it is sent in (modulation and code rate), 3 are the burst's number.
They count in cbr_total and in the airtime. The header itself is taken to arrive without an error.
"""


def airtime_seconds(settings: ChannelSettings, air_symbols: int) -> float:
    """How long a burst occupies the air. air_symbols: pilots, payload and what the waveform adds."""
    return (air_symbols + HEADER_SYMBOLS) / settings.symbol_rate_hz


def interval_seconds(settings: ChannelSettings, air_symbols: int) -> float:
    """Time from the start of one burst of a stream to the next.

    `burst_interval_seconds`, or the burst's airtime where that is 0: back to back, if all bursts of the stream are as
    long. Bursts of several lengths share a time line only under a `burst_interval_seconds`.
    """
    return settings.burst_interval_seconds or airtime_seconds(settings, air_symbols)


def start_seconds(settings: ChannelSettings, air_symbols: int, counter: int) -> float:
    """When a burst begins on the time line of its stream: counter x interval."""
    return counter * interval_seconds(settings, air_symbols)
