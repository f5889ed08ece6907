"""What passes the channel, counted."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from shared.phy import Transmission


@dataclass(slots=True)
class Counters:
    """Counts since the start; fields as in ChannelStatistics, powers as sums over the bursts that were computed.

    in_flight: bursts inside now.
    """

    bursts: int = 0
    lost: int = 0
    duplicated: int = 0
    reordered: int = 0
    failed: int = 0
    resets: int = 0
    computed: int = 0
    signal_power: float = 0.0
    noise_power: float = 0.0
    in_flight: int = 0

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Count a burst, and whether it failed, while the body serves it."""
        self.bursts += 1
        self.in_flight += 1
        try:
            yield
        except Exception:
            self.failed += 1
            raise
        finally:
            self.in_flight -= 1

    def add(self, transmission: Transmission) -> None:
        """Count the powers of a computed burst."""
        self.computed += 1
        self.signal_power += transmission.signal_power
        self.noise_power += transmission.noise_power
