"""Start and airtime of bursts."""

from typing import Final

from shared.phy.conditions.settings import ChannelSettings

HEADER_SYMBOLS: Final = 16
"""Channel uses of a burst's header: 16 bits in QPSK at rate 1/2, 1 bit a symbol.

4 bits name the codec, 3 its length, 6 the mode that it is sent in (modulation and code rate), 3 are the burst's number.
They count in cbr_total and in the airtime. The header itself is assumed to be received without errors.
"""


def airtime_seconds(settings: ChannelSettings, air_symbols: int) -> float:
    """Airtime of a burst. air_symbols: pilots, payload and overhead of the waveform."""
    return (air_symbols + HEADER_SYMBOLS) / settings.symbol_rate_hz


def interval_seconds(settings: ChannelSettings, air_symbols: int) -> float:
    """Time from the start of one burst of a stream to the next.

    `burst_interval_seconds`, or, if that is 0, the burst's airtime: back to back if all bursts of the stream have the
    same length. Bursts of different lengths share a time line only with a `burst_interval_seconds`.
    """
    return settings.burst_interval_seconds or airtime_seconds(settings, air_symbols)


def start_seconds(settings: ChannelSettings, air_symbols: int, counter: int) -> float:
    """Start of a burst on the time line of its stream: counter x interval."""
    return counter * interval_seconds(settings, air_symbols)
